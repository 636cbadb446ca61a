# cython: language_level=3
"""The venue's socket, sans-I/O: length-prefixed messages in and out."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from titan_execution.core.state cimport Engine


cdef enum LinkCode:
    LINK_OK = 0
    LINK_AGAIN = 1          # the engine's stages are filling: drain them and call again
    LINK_BROKEN = -1        # the stream cannot be read any further


cdef struct VenueLink:
    uint8_t *received
    int64_t start
    int64_t end
    int64_t received_limit
    uint8_t *out
    int64_t out_start
    int64_t out_end
    int64_t out_limit
    uint64_t last_sequence


cdef int link_init(VenueLink *link) noexcept nogil
cdef void link_free(VenueLink *link) noexcept nogil
cdef void link_opened(VenueLink *link, Engine *engine) noexcept nogil
cdef void link_closed(VenueLink *link, Engine *engine) noexcept nogil
cdef uint8_t *link_room(VenueLink *link, int64_t *size) noexcept nogil
cdef int link_step(VenueLink *link, Engine *engine) noexcept nogil
cdef void link_collect(VenueLink *link, Engine *engine) noexcept nogil
