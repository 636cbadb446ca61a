# cython: language_level=3
"""A bounded byte ring between two threads: one puts, one gets, neither waits for the other.

Owns the hand-off and its wake-up. Must never know what the records mean. Full is an answer, counted,
never an overwrite.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef enum RingCode:
    RING_OK = 0
    RING_EMPTY = 1
    RING_FULL = -1
    RING_OVERSIZE = -2


cdef struct RingState:
    # written by the producer
    uint64_t tail
    uint64_t seen_head                 # producer's copy of head: no shared line read while there is room
    uint64_t refused                   # puts that found it full
    uint8_t pad_producer[104]
    # written by the consumer
    uint64_t head
    uint64_t seen_tail
    uint64_t taken                     # size of the record given out and not yet released
    uint8_t pad_consumer[104]
    # written by both, rarely
    uint32_t armed                     # 1 = the consumer wants a wake-up
    int wake_fd                        # eventfd
    uint8_t *bytes
    uint64_t capacity                  # power of two


# Producer. The record is visible when it returns; ring_wake tells a sleeping consumer.
cdef int ring_put(RingState *ring, uint8_t kind, const uint8_t *body, uint32_t size) noexcept nogil
cdef void ring_wake(RingState *ring) noexcept nogil

# Consumer. The view is good until ring_release; ring_arm before blocking: true = sleep, false = there is more.
cdef int ring_get(RingState *ring, uint8_t *kind, const uint8_t **body, uint32_t *size) noexcept nogil
cdef void ring_release(RingState *ring) noexcept nogil
cdef bint ring_arm(RingState *ring) noexcept nogil
cdef void ring_clear_wake(RingState *ring) noexcept nogil


cdef class Ring:
    # Owns the memory and the eventfd; Python may be the producer or the consumer.
    cdef RingState *state
