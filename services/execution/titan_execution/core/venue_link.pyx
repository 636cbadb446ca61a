# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The venue's side of the engine, sans-I/O: u32 length, then one message; logon first.

Owns framing, the logon and the hand-over of staged requests. Must never know descriptors, and must
never keep a request over a lost link: what was not sent is asked about, not sent later.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from titan_execution.core.limits cimport VENUE_FRAME_MAX
from titan_execution.core.records cimport VERB_LOGON, VenueEvent, VenueRequest
from titan_execution.core.reports cimport emit_request, stages_have_room
from titan_execution.core.resolve cimport on_link_down
from titan_execution.core.state cimport LINK_LOGON, Engine, view_of
from titan_execution.core.venue_codec cimport codec_venue_event
from titan_execution.core.venue_events cimport on_venue_event


cdef enum:
    RECEIVE_MAX = 4194304
    SEND_MAX = 8388608
    EVENTS_MAX = 4096                  # events of one step


cdef int link_init(VenueLink *link) noexcept nogil:
    memset(link, 0, sizeof(VenueLink))
    link.received_limit = RECEIVE_MAX
    link.out_limit = SEND_MAX
    link.received = <uint8_t *>calloc(1, RECEIVE_MAX)
    link.out = <uint8_t *>calloc(1, SEND_MAX)
    return 0 if link.received != NULL and link.out != NULL else -1


cdef void link_free(VenueLink *link) noexcept nogil:
    free(link.received)
    free(link.out)
    link.received = NULL
    link.out = NULL


cdef void link_opened(VenueLink *link, Engine *engine) noexcept nogil:
    """The socket is connected: say who we are."""
    cdef VenueRequest request
    memset(&request, 0, sizeof(VenueRequest))
    request.verb = VERB_LOGON
    request.account = view_of(&engine.account[0], engine.account_size)
    link.start = 0
    link.end = 0
    link.out_start = 0
    link.out_end = 0
    link.last_sequence = 0
    engine.link = LINK_LOGON
    engine.resync_wanted = 0
    emit_request(engine, &request)


cdef void link_closed(VenueLink *link, Engine *engine) noexcept nogil:
    """The socket is gone, and with it whatever was not sent."""
    link.start = 0
    link.end = 0
    link.out_start = 0
    link.out_end = 0
    on_link_down(engine)


cdef uint8_t *link_room(VenueLink *link, int64_t *size) noexcept nogil:
    """Where to receive, and how much."""
    if link.start == link.end:
        link.start = 0
        link.end = 0
    elif link.start and link.received_limit - link.end < VENUE_FRAME_MAX + 4:
        memmove(link.received, link.received + link.start, link.end - link.start)
        link.end -= link.start
        link.start = 0
    size[0] = link.received_limit - link.end
    return link.received + link.end


cdef int link_step(VenueLink *link, Engine *engine) noexcept nogil:
    """Every whole message received, as far as the stages have room."""
    cdef VenueEvent event
    cdef uint32_t size
    cdef int served = 0
    while link.end - link.start >= 4:
        if served == EVENTS_MAX or not stages_have_room(engine):
            return LINK_AGAIN
        memcpy(&size, link.received + link.start, 4)
        if size > VENUE_FRAME_MAX:
            return LINK_BROKEN
        if link.end - link.start < 4 + <int64_t>size:
            break
        if codec_venue_event(link.received + link.start + 4, <int32_t>size, &event):
            engine.counters.unread_events += 1
            return LINK_BROKEN
        if event.event_sequence != link.last_sequence + 1:
            engine.counters.unread_events += 1
            return LINK_BROKEN         # an event is missing: only a new logon makes it whole
        link.last_sequence = event.event_sequence
        link.start += 4 + <int64_t>size
        on_venue_event(engine, &event)
        served += 1
    return LINK_OK


cdef void link_collect(VenueLink *link, Engine *engine) noexcept nogil:
    """Takes the staged requests over, whole messages only, as far as they fit."""
    cdef int64_t at = 0
    cdef uint32_t size
    if link.out_start == link.out_end:
        link.out_start = 0
        link.out_end = 0
    while at < engine.venue_out.size:
        memcpy(&size, engine.venue_out.bytes + at, 4)
        if link.out_end + 4 + <int64_t>size > link.out_limit:
            break
        memcpy(link.out + link.out_end, engine.venue_out.bytes + at, 4 + <size_t>size)
        link.out_end += 4 + <int64_t>size
        at += 4 + <int64_t>size
    if at < engine.venue_out.size:
        memmove(engine.venue_out.bytes, engine.venue_out.bytes + at, engine.venue_out.size - at)
    engine.venue_out.size -= at
