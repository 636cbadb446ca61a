# cython: language_level=3
"""Journal records back into the tables, before anything opens."""

from libc.stdint cimport int32_t, uint8_t

from titan_execution.core.state cimport Engine


cdef enum ReplayCode:
    REPLAY_OK = 0
    REPLAY_UNREADABLE = -1      # the body does not decode
    REPLAY_OUT_OF_ORDER = -2    # LSN is not the next one
    REPLAY_FOREIGN = -3         # another account
    REPLAY_SYMBOL = -4          # an order of a symbol or phase that the policy no longer lists
    REPLAY_UNKNOWN_ORDER = -5   # an event of an order that was never confirmed
    REPLAY_FULL = -6            # more intents than the table holds
    REPLAY_KIND = -7            # a record kind that this build does not know


cdef int replay_record(Engine *engine, const uint8_t *body, int32_t size) noexcept nogil
cdef void replay_finish(Engine *engine) noexcept nogil
