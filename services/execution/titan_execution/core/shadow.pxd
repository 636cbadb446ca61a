# cython: language_level=3
"""Shadow state: the order table as data, positions and exposure from fills alone."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from titan_execution.core.records cimport View
from titan_execution.core.state cimport Engine, Slot, SymbolState


cdef enum OrderEvent:
    EVENT_ACK = 0
    EVENT_TRADE = 1
    EVENT_CANCELED = 2
    EVENT_EXPIRED = 3
    EVENT_CANCEL_REJECT = 4
    EVENT_REJECT = 5
    EVENT_AMBIGUOUS = 6
    EVENT_CANCEL_SENT = 7
    EVENT_NOT_PLACED = 8
    EVENT_COUNT = 9


cdef enum OrderAction:
    ACT_NONE = 0
    ACT_RECORD = 1      # the event is news: journal it
    ACT_CLOSE = 2       # nothing stays open
    ACT_REOPEN = 4      # an order the record had closed lives: adopt it
    ACT_ASK = 8         # ask the venue for its state
    ACT_ALARM = 16      # the venue contradicts itself
    ACT_HALT = 32       # more filled than ordered


# Each answers the actions (OrderAction bits) of the order table.
cdef int shadow_apply(Engine *engine, uint32_t at, int event) noexcept nogil
cdef int shadow_fill(Engine *engine, uint32_t at, int64_t lots, int64_t ticks,
                     int64_t fee_nanos) noexcept nogil

cdef void shadow_reserve(Engine *engine, uint32_t at) noexcept nogil
cdef void shadow_release(Engine *engine, uint32_t at) noexcept nogil
# 1 = new, 0 = seen before, -1 = the table is full
cdef int shadow_trade_key(Engine *engine, int32_t symbol, View trade_id) noexcept nogil
cdef int64_t notional_nanos(int64_t half_ticks, int64_t lots, int64_t per_tick_lot) noexcept nogil
cdef int64_t reference_half_ticks(const SymbolState *symbol) noexcept nogil
cdef int64_t account_equity_nanos(const Engine *engine, bint at_last_fill) noexcept nogil
cdef int64_t phase_equity_nanos(const Engine *engine, int32_t phase,
                                bint at_last_fill) noexcept nogil
cdef void shadow_roll_day(Engine *engine, int64_t unix_ns) noexcept nogil
cdef int32_t symbol_of(const Engine *engine, View name) noexcept nogil
cdef int32_t phase_of(const Engine *engine, View name) noexcept nogil
cdef uint64_t shadow_hash(const Engine *engine) noexcept nogil


cdef inline bint is_terminal(int ord_status) noexcept nogil:
    """FILLED, CANCELED, REJECTED, EXPIRED, NOT_PLACED."""
    return (ord_status >= 4 and ord_status <= 7) or ord_status == 12


cdef inline int64_t leaves_of(const Slot *slot) noexcept nogil:
    return slot.leaves_lots
