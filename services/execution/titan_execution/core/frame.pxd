# cython: language_level=3
"""The FastPath frame: bytes in a receive buffer become frames, and back (docs/FASTPATH.md).

Owns the layout, the incremental reader and its codes. Must never know keys, payload messages or
sockets. A Frame points into the reader's buffer and dies with the next frame_reader_room().
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from titan_execution.core.limits cimport FRAME_BYTES_MAX, FRAME_PAYLOAD_MAX


cdef enum:
    FRAME_HEADER_BYTES = 28
    FRAME_HASH_BYTES = 32
    FRAME_MAC_BYTES = 32
    FRAME_PREFIX_BYTES = 60            # header and policy hash
    FRAME_OVERHEAD_BYTES = 92          # everything that is not payload
    FRAME_VERSION = 1
    FRAME_MAGIC = 0x314e5454           # "TTN1", little endian


cdef enum FrameCode:
    FRAME_OK = 0
    FRAME_MORE = 1                     # incomplete: read more
    FRAME_BAD_MAGIC = -1
    FRAME_BAD_VERSION = -2
    FRAME_OVERSIZE = -3
    FRAME_TRUNCATED = -4               # the stream ended inside a frame


cdef struct FrameHeader:
    uint64_t counter
    int64_t ts_ns                      # sender's CLOCK_BOOTTIME
    uint32_t payload_size
    uint16_t key_id
    uint8_t version
    uint8_t frame_type


cdef struct Frame:
    FrameHeader header
    const uint8_t *signed_bytes        # header, policy hash and payload, as on the wire
    int64_t signed_size
    const uint8_t *policy_hash
    const uint8_t *payload
    const uint8_t *mac


cdef struct FrameReader:
    uint8_t *buffer
    int64_t capacity
    int64_t start                      # first byte not yet given out
    int64_t end                        # first byte not yet received


cdef int frame_reader_init(FrameReader *reader, int64_t capacity) noexcept nogil  # FRAME_OK, or FRAME_OVERSIZE without memory
cdef void frame_reader_free(FrameReader *reader) noexcept nogil


cdef inline void frame_reader_reset(FrameReader *reader) noexcept nogil:
    """Forgets what was received: the buffer may serve another connection."""
    reader.start = 0
    reader.end = 0


cdef inline uint8_t *frame_reader_room(FrameReader *reader, int64_t *size) noexcept nogil:
    """Where to receive and how much fits; moves the unread rest to the front. Kills earlier Frames."""
    if reader.start == reader.end:
        reader.start = 0
        reader.end = 0
    elif reader.start and reader.capacity - reader.end < FRAME_BYTES_MAX:
        memmove(reader.buffer, reader.buffer + reader.start, <size_t>(reader.end - reader.start))
        reader.end -= reader.start
        reader.start = 0
    size[0] = reader.capacity - reader.end
    return reader.buffer + reader.end


cdef inline void frame_reader_filled(FrameReader *reader, int64_t size) noexcept nogil:
    """size bytes were received into the room."""
    reader.end += size


cdef inline int frame_header_read(const uint8_t *at, FrameHeader *out) noexcept nogil:
    """Reads 28 bytes; the length is judged before anyone waits for it."""
    cdef uint32_t magic
    memcpy(&magic, at, 4)
    if magic != FRAME_MAGIC:
        return FRAME_BAD_MAGIC
    out.version = at[4]
    if out.version != FRAME_VERSION:
        return FRAME_BAD_VERSION
    out.frame_type = at[5]
    memcpy(&out.key_id, at + 6, 2)
    memcpy(&out.payload_size, at + 8, 4)
    memcpy(&out.counter, at + 12, 8)
    memcpy(&out.ts_ns, at + 20, 8)
    if out.payload_size > FRAME_PAYLOAD_MAX:
        return FRAME_OVERSIZE
    return FRAME_OK


cdef inline int frame_reader_next(FrameReader *reader, Frame *out) noexcept nogil:
    """The next whole frame, FRAME_MORE, or why the stream cannot be read any further."""
    cdef const uint8_t *at = reader.buffer + reader.start
    cdef int64_t held = reader.end - reader.start
    cdef int64_t size
    cdef int code
    if held < FRAME_HEADER_BYTES:
        return frame_prefix_check(at, held)
    code = frame_header_read(at, &out.header)
    if code != FRAME_OK:
        return code
    size = FRAME_OVERHEAD_BYTES + <int64_t>out.header.payload_size
    if held < size:
        return FRAME_MORE
    out.signed_bytes = at
    out.signed_size = size - FRAME_MAC_BYTES
    out.policy_hash = at + FRAME_HEADER_BYTES
    out.payload = at + FRAME_PREFIX_BYTES
    out.mac = at + out.signed_size
    reader.start += size
    return FRAME_OK


cdef inline int frame_prefix_check(const uint8_t *at, int64_t held) noexcept nogil:
    """Refuses a wrong magic at its first wrong byte, not after 28."""
    cdef uint32_t magic = FRAME_MAGIC
    cdef const uint8_t *wanted = <const uint8_t *>&magic
    cdef int64_t i
    for i in range(held if held < 4 else 4):
        if at[i] != wanted[i]:
            return FRAME_BAD_MAGIC
    if held > 4 and at[4] != FRAME_VERSION:
        return FRAME_BAD_VERSION
    return FRAME_MORE


cdef inline int frame_reader_end(const FrameReader *reader) noexcept nogil:
    """The peer closed: FRAME_OK between frames, FRAME_TRUNCATED inside one."""
    return FRAME_OK if reader.start == reader.end else FRAME_TRUNCATED


cdef inline uint8_t *frame_begin(uint8_t *out, uint8_t frame_type, uint16_t key_id,
                                 uint64_t counter, int64_t ts_ns,
                                 const uint8_t *policy_hash) noexcept nogil:
    """Writes header (length still 0) and policy hash; returns where the payload goes."""
    cdef uint32_t magic = FRAME_MAGIC
    memcpy(out, &magic, 4)
    out[4] = FRAME_VERSION
    out[5] = frame_type
    memcpy(out + 6, &key_id, 2)
    memset(out + 8, 0, 4)
    memcpy(out + 12, &counter, 8)
    memcpy(out + 20, &ts_ns, 8)
    memcpy(out + FRAME_HEADER_BYTES, policy_hash, FRAME_HASH_BYTES)
    return out + FRAME_PREFIX_BYTES


cdef inline int64_t frame_sized(uint8_t *out, uint32_t payload_size) noexcept nogil:
    """Sets the length; returns how many bytes the MAC covers: it goes right behind them."""
    memcpy(out + 8, &payload_size, 4)
    return FRAME_PREFIX_BYTES + <int64_t>payload_size


cdef inline int64_t frame_unsigned(uint8_t *out, uint32_t payload_size) noexcept nogil:
    """Ends a HELLO or CHALLENGE: sets the length and 32 zero bytes; returns the whole size."""
    cdef int64_t signed_size = frame_sized(out, payload_size)
    memset(out + signed_size, 0, FRAME_MAC_BYTES)
    return signed_size + FRAME_MAC_BYTES
