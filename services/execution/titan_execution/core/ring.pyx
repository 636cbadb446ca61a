# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The ring's memory, its two sides and a window for Python.

Owns ordering: a record is written before its tail is released, and the consumer arms before it
looks a last time, so no wake-up is lost. Must never know what the records mean.

Record in the ring: u32 size | u8 kind | 3 zero | body, padded to 8. A size of SKIP says that the
rest of the memory up to its end is unused and the next record starts at the front.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset
from posix.unistd cimport close, read, write

from titan_mesh.errors import TitanError

from titan_execution.core.limits cimport RING_RECORD_MAX


cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **out, size_t alignment, size_t size)


cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int initial, int flags)
    int EFD_CLOEXEC
    int EFD_NONBLOCK


cdef extern from * nogil:
    """
    #include <stdint.h>
    static inline uint64_t titan_load(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
    static inline void titan_store(uint64_t *at, uint64_t v) { __atomic_store_n(at, v, __ATOMIC_RELEASE); }
    static inline void titan_store_flag(uint32_t *at, uint32_t v) { __atomic_store_n(at, v, __ATOMIC_SEQ_CST); }
    static inline uint32_t titan_load_flag(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }
    static inline uint32_t titan_take_flag(uint32_t *at) { return __atomic_exchange_n(at, 0u, __ATOMIC_SEQ_CST); }
    static inline void titan_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
    """
    uint64_t titan_load(const uint64_t *at)
    void titan_store(uint64_t *at, uint64_t value)
    void titan_store_flag(uint32_t *at, uint32_t value)
    uint32_t titan_load_flag(const uint32_t *at)
    uint32_t titan_take_flag(uint32_t *at)
    void titan_fence()


cdef enum:
    LEAD_BYTES = 8
    RING_BYTES_MIN = 4096
    RING_BYTES_MAX = 1073741824

cdef uint32_t SKIP = 0xffffffff


cdef int ring_put(RingState *ring, uint8_t kind, const uint8_t *body, uint32_t size) noexcept nogil:
    cdef uint64_t needed = (LEAD_BYTES + <uint64_t>size + 7) & ~<uint64_t>7
    cdef uint64_t at = ring.tail & (ring.capacity - 1)
    cdef uint64_t to_end = ring.capacity - at
    cdef uint64_t skipped = 0
    cdef uint8_t *out
    if size > RING_RECORD_MAX or needed > ring.capacity // 2:
        return RING_OVERSIZE
    if to_end < needed:
        skipped = to_end
    if ring.tail + skipped + needed - ring.seen_head > ring.capacity:
        ring.seen_head = titan_load(&ring.head)
        if ring.tail + skipped + needed - ring.seen_head > ring.capacity:
            titan_store(&ring.refused, ring.refused + 1)
            return RING_FULL
    if skipped:
        memcpy(ring.bytes + at, &SKIP, 4)
        at = 0
    out = ring.bytes + at
    memcpy(out, &size, 4)
    out[4] = kind
    if size:
        memcpy(out + LEAD_BYTES, body, size)
    titan_store(&ring.tail, ring.tail + skipped + needed)
    return RING_OK


cdef void ring_wake(RingState *ring) noexcept nogil:
    """One system call at most, and only when the consumer sleeps."""
    cdef uint64_t one = 1
    titan_fence()
    if titan_load_flag(&ring.armed) and titan_take_flag(&ring.armed):
        write(ring.wake_fd, &one, 8)


cdef int ring_get(RingState *ring, uint8_t *kind, const uint8_t **body, uint32_t *size) noexcept nogil:
    cdef uint64_t at, position = ring.head
    if ring.taken:
        ring_release(ring)
        position = ring.head
    if position == ring.seen_tail:
        ring.seen_tail = titan_load(&ring.tail)
        if position == ring.seen_tail:
            return RING_EMPTY
    at = position & (ring.capacity - 1)
    memcpy(size, ring.bytes + at, 4)
    if size[0] == SKIP:
        ring.taken = ring.capacity - at
        at = 0
        memcpy(size, ring.bytes, 4)
    kind[0] = ring.bytes[at + 4]
    body[0] = ring.bytes + at + LEAD_BYTES
    ring.taken += (LEAD_BYTES + <uint64_t>size[0] + 7) & ~<uint64_t>7
    return RING_OK


cdef void ring_release(RingState *ring) noexcept nogil:
    """Gives the memory of the record last taken back to the producer."""
    cdef uint64_t taken = ring.taken
    ring.taken = 0
    titan_store(&ring.head, ring.head + taken)


cdef bint ring_arm(RingState *ring) noexcept nogil:
    if ring.taken:
        ring_release(ring)
    titan_store_flag(&ring.armed, 1)
    titan_fence()
    ring.seen_tail = titan_load(&ring.tail)
    if ring.seen_tail == ring.head:
        return True
    titan_take_flag(&ring.armed)
    return False


cdef void ring_clear_wake(RingState *ring) noexcept nogil:
    cdef uint64_t count
    read(ring.wake_fd, &count, 8)


cdef class Ring:
    """A bounded queue of (kind, bytes) between exactly one producer thread and one consumer thread."""

    def __cinit__(self, uint64_t capacity):
        cdef void *at = NULL
        if capacity < RING_BYTES_MIN or capacity > RING_BYTES_MAX or capacity & (capacity - 1):
            raise TitanError("RING_CAPACITY", "a ring holds a power of two of bytes from 4096 to 2**30",
                             field="capacity", value=capacity, limit=RING_BYTES_MAX,
                             hint="see limits.pxd")
        if posix_memalign(&at, 128, sizeof(RingState)) != 0:
            raise MemoryError("ring")
        self.state = <RingState *>at
        memset(self.state, 0, sizeof(RingState))
        self.state.wake_fd = -1
        if posix_memalign(&at, 4096, capacity) != 0:
            raise MemoryError(f"a ring of {capacity} bytes")
        self.state.bytes = <uint8_t *>at
        memset(at, 0, capacity)   # faulted in now, not on the hot path
        self.state.capacity = capacity
        self.state.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
        if self.state.wake_fd < 0:
            raise OSError(errno, "eventfd")

    def __dealloc__(self):
        if self.state != NULL:
            if self.state.wake_fd >= 0:
                close(self.state.wake_fd)
            free(self.state.bytes)
            free(self.state)

    def fileno(self):
        """The eventfd: readable when the consumer armed and something came. For loop.add_reader."""
        return self.state.wake_fd

    def put(self, uint8_t kind, const uint8_t[::1] body not None):
        """Producer: True when taken, False when full (counted); a body that can never fit raises."""
        cdef const uint8_t *at = &body[0] if body.shape[0] else NULL
        cdef int code
        if body.shape[0] > RING_RECORD_MAX:
            code = RING_OVERSIZE
        else:
            code = ring_put(self.state, kind, at, <uint32_t>body.shape[0])
        if code == RING_OVERSIZE:
            raise TitanError("RING_RECORD_OVERSIZE", "the record can never fit this ring",
                             field="body", value=body.shape[0],
                             limit=min(RING_RECORD_MAX, self.state.capacity // 2 - LEAD_BYTES),
                             hint="split it")
        if code == RING_FULL:
            return False
        ring_wake(self.state)
        return True

    def get(self, int max_records=1024):
        """Consumer: up to max_records of (kind, bytes). An empty list arms the wake-up: wait for fileno()."""
        cdef uint8_t kind = 0
        cdef const uint8_t *body = NULL
        cdef uint32_t size = 0
        cdef list out = []
        ring_clear_wake(self.state)
        while len(out) < max_records:
            if ring_get(self.state, &kind, &body, &size) == RING_OK:
                out.append((kind, PyBytes_FromStringAndSize(<const char *>body, size)))
                ring_release(self.state)
            elif out or ring_arm(self.state):
                break
        return out

    @property
    def refused(self):
        """Puts that found the ring full, ever."""
        return titan_load(&self.state.refused)
