# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Memory of the frame reader, and a window for Python on the inline code of frame.pxd.

Owns the receive buffer. Must never know keys, payload messages or sockets.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from titan_execution.core.limits cimport FRAME_BYTES_MAX, FRAME_PAYLOAD_MAX

CODES = {
    FRAME_OK: "FRAME_OK",
    FRAME_MORE: "FRAME_MORE",
    FRAME_BAD_MAGIC: "FRAME_BAD_MAGIC",
    FRAME_BAD_VERSION: "FRAME_BAD_VERSION",
    FRAME_OVERSIZE: "FRAME_OVERSIZE",
    FRAME_TRUNCATED: "FRAME_TRUNCATED",
}


cdef int frame_reader_init(FrameReader *reader, int64_t capacity) noexcept nogil:
    reader.buffer = NULL
    reader.capacity = 0
    frame_reader_reset(reader)
    if capacity < FRAME_BYTES_MAX:
        return FRAME_OVERSIZE
    reader.buffer = <uint8_t *>malloc(<size_t>capacity)
    if reader.buffer == NULL:
        return FRAME_OVERSIZE
    memset(reader.buffer, 0, <size_t>capacity)   # faulted in now, not on the first frame
    reader.capacity = capacity
    return FRAME_OK


cdef void frame_reader_free(FrameReader *reader) noexcept nogil:
    free(reader.buffer)
    reader.buffer = NULL
    reader.capacity = 0
    frame_reader_reset(reader)


cdef class FrameStream:
    """Python's window on the reader: feed bytes, take frames."""

    cdef FrameReader reader

    def __cinit__(self, int64_t capacity):
        if frame_reader_init(&self.reader, capacity) != FRAME_OK:
            raise MemoryError(f"a receive buffer of {capacity} bytes; at least {FRAME_BYTES_MAX}")

    def __dealloc__(self):
        frame_reader_free(&self.reader)

    def room(self):
        """How many bytes feed() takes now."""
        cdef int64_t size = 0
        frame_reader_room(&self.reader, &size)
        return size

    def feed(self, const uint8_t[::1] data):
        """Copies data behind what is held; returns how many bytes fitted."""
        cdef int64_t size = 0
        cdef uint8_t *at = frame_reader_room(&self.reader, &size)
        size = min(size, <int64_t>data.shape[0])
        if size:
            memcpy(at, &data[0], <size_t>size)
        frame_reader_filled(&self.reader, size)
        return size

    def take(self):
        """(code, None) or ("FRAME_OK", (type, key_id, counter, ts_ns, policy_hash, payload, mac))."""
        cdef Frame frame
        cdef int code = frame_reader_next(&self.reader, &frame)
        if code != FRAME_OK:
            return CODES[code], None
        return CODES[code], (
            frame.header.frame_type, frame.header.key_id, frame.header.counter,
            frame.header.ts_ns, frame.policy_hash[:FRAME_HASH_BYTES],
            frame.payload[:frame.header.payload_size], frame.mac[:FRAME_MAC_BYTES],
        )

    def end(self):
        """The code of a stream that ends here."""
        return CODES[frame_reader_end(&self.reader)]


def encode(uint8_t frame_type, uint16_t key_id, uint64_t counter, int64_t ts_ns,
           bytes policy_hash, bytes payload):
    """A whole frame with 32 zero bytes in place of its MAC."""
    if len(policy_hash) != FRAME_HASH_BYTES or len(payload) > FRAME_PAYLOAD_MAX:
        raise ValueError("policy_hash takes 32 bytes, payload at most 65536")
    cdef bytes out = PyBytes_FromStringAndSize(NULL, FRAME_OVERHEAD_BYTES + len(payload))
    cdef uint8_t *at = <uint8_t *>PyBytes_AS_STRING(out)
    cdef uint8_t *body = frame_begin(at, frame_type, key_id, counter, ts_ns,
                                     <const uint8_t *>PyBytes_AS_STRING(policy_hash))
    memcpy(body, PyBytes_AS_STRING(payload), <size_t>len(payload))
    frame_unsigned(at, <uint32_t>len(payload))
    return out
