# cython: language_level=3
"""One FastPath connection, sans-I/O: bytes -> frames -> MAC -> counter -> engine -> bytes."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from titan_execution.core.frame cimport FrameReader
from titan_execution.core.limits cimport PRINCIPAL_MAX
from titan_execution.core.mac cimport KeyRing, MacKey
from titan_execution.core.state cimport Engine


cdef enum SessionState:
    SESSION_FREE = 0
    SESSION_HELLO = 1       # waits for HELLO
    SESSION_PROOF = 2       # waits for PROOF
    SESSION_OPEN = 3
    SESSION_CLOSING = 4     # what is in the send buffer leaves, then the end


cdef enum SessionCode:
    SESSION_OK = 0          # everything received was served
    SESSION_AGAIN = 1       # the engine's stages are filling: drain them and call again
    SESSION_END = -1        # close after flushing


cdef struct SessionCounters:
    uint64_t frames
    uint64_t bad_mac
    uint64_t bad_counter
    uint64_t bad_frame      # magic, version, size, type, payload
    uint64_t bad_hello
    uint64_t slow           # handshake or idle time-outs, full send buffers
    uint64_t opened


cdef struct Session:
    FrameReader reader
    uint8_t *out
    int64_t out_start
    int64_t out_end
    MacKey client_to_server
    MacKey server_to_client
    uint8_t client_nonce[16]
    uint8_t server_nonce[16]
    char principal[PRINCIPAL_MAX + 1]
    int32_t principal_size
    uint16_t key_id
    int32_t state
    uint64_t received       # counter of the last frame taken
    uint64_t sent           # counter of the last frame made
    int64_t since_ns        # boottime of accept


cdef int session_init(Session *session) noexcept nogil
cdef void session_free(Session *session) noexcept nogil
cdef void session_open(Session *session, const uint8_t *server_nonce, int64_t now_ns) noexcept nogil
cdef int session_step(Session *session, Engine *engine, const KeyRing *keys,
                      SessionCounters *counters) noexcept nogil
