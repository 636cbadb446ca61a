# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Shadow state: (order status x event) as a table, positions and exposure from fills alone.

Owns what an event does to an order and to the sums. The same functions run live and in replay, so
the two cannot differ. Must never know limits, journals or sockets.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from titan_execution.core.fixed cimport fixed_add, fixed_money
from titan_execution.core.intents cimport open_add, open_remove
from titan_execution.core.records cimport View
from titan_execution.core.state cimport (
    FLAG_CANCEL_WANTED, FLAG_COUNTED, FLAG_RECOVERED, FLAG_VERIFY, Engine, PhaseState,
    PhaseSymbol, Slot, SymbolState,
)
from titan_execution.core.vocabulary cimport (
    INTENT_STATE_CANCELED, INTENT_STATE_FILLED, INTENT_STATE_LIVE, INTENT_STATE_NOT_PLACED,
    INTENT_STATE_REJECTED, INTENT_STATE_SENDING, INTENT_STATE_UNKNOWN, ORD_STATUS_COUNT,
    ORD_STATUS_FILLED, ORD_STATUS_NEW, ORD_STATUS_PARTIALLY_FILLED, ORD_STATUS_UNKNOWN, SIDE_BUY,
)


cdef int64_t DAY_NS = 86400000000000

# (status after, actions) by [event][status]; status 0 = unchanged. Columns follow OrdStatus:
# UNSPECIFIED PENDING_NEW NEW PARTIALLY_FILLED FILLED CANCELED REJECTED EXPIRED PENDING_CANCEL
# PENDING_REPLACE SUSPENDED UNKNOWN NOT_PLACED
cdef uint8_t[117] NEXT = [
    0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 2, 2, 2,      # ACK
    0, 3, 3, 3, 0, 0, 3, 0, 0, 0, 3, 3, 3,      # TRADE (FILLED when nothing is left)
    0, 5, 5, 5, 0, 0, 0, 0, 5, 5, 5, 5, 5,      # CANCELED
    0, 7, 7, 7, 0, 0, 0, 0, 7, 7, 7, 7, 7,      # EXPIRED
    0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0,      # CANCEL_REJECT (PARTIALLY_FILLED when filled)
    0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 6,      # REJECT
    0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,     # AMBIGUOUS
    0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 8, 0, 0,      # CANCEL_SENT
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0,     # NOT_PLACED
]

cdef uint8_t[117] ACTIONS = [
    0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 1, 1, 5,      # ACK: adopts what was REJECTED or NOT_PLACED
    0, 1, 1, 1, 33, 1, 5, 1, 1, 1, 1, 1, 5,     # TRADE: fill after the end applies; after FILLED: halt
    0, 3, 3, 3, 0, 0, 0, 0, 3, 3, 3, 3, 3,      # CANCELED
    0, 3, 3, 3, 0, 0, 0, 0, 3, 3, 3, 3, 3,      # EXPIRED
    0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 0, 0, 0,      # CANCEL_REJECT: back to work, and ask
    0, 3, 24, 24, 16, 0, 0, 0, 24, 24, 24, 3, 3,  # REJECT: of a working order: alarm and ask
    0, 1, 8, 8, 0, 0, 0, 0, 8, 8, 8, 8, 0,      # AMBIGUOUS
    0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0,      # CANCEL_SENT
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0,      # NOT_PLACED
]

cdef uint8_t[13] INTENT_OF = [0, 3, 6, 6, 10, 11, 7, 11, 6, 6, 6, 4, 5]


cdef int64_t notional_nanos(int64_t half_ticks, int64_t lots, int64_t per_tick_lot) noexcept nogil:
    """Money of lots at half_ticks / 2, in nanos, saturating."""
    return fixed_money(half_ticks, lots, per_tick_lot)


cdef int64_t reference_half_ticks(const SymbolState *symbol) noexcept nogil:
    """Price that positions are valued at: the newest mid, else the last fill, else none."""
    if symbol.mid_half_ticks > 0:
        return symbol.mid_half_ticks
    return symbol.last_fill_ticks * 2


cdef int32_t symbol_of(const Engine *engine, View name) noexcept nogil:
    """Index of a symbol of the policy, -1 when it is not listed."""
    cdef int32_t i
    for i in range(engine.n_symbols):
        if (engine.symbols[i].symbol_size == name.size
                and memcmp(&engine.symbols[i].symbol[0], name.at, name.size) == 0):
            return i
    return -1


cdef int32_t phase_of(const Engine *engine, View name) noexcept nogil:
    """Index of a phase of the policy, -1 when it is not listed."""
    cdef int32_t i
    for i in range(engine.n_phases):
        if (engine.phases[i].phase_size == name.size
                and memcmp(&engine.phases[i].phase_id[0], name.at, name.size) == 0):
            return i
    return -1


cdef void _add_open(Engine *engine, const Slot *slot, int64_t lots) noexcept nogil:
    cdef SymbolState *symbol = &engine.symbols[slot.symbol]
    cdef PhaseSymbol *own = &engine.phases[slot.phase].symbol[slot.symbol]
    if slot.side == SIDE_BUY:
        symbol.open_buy_lots += lots
        own.open_buy_lots += lots
    else:
        symbol.open_sell_lots += lots
        own.open_sell_lots += lots


cdef void shadow_reserve(Engine *engine, uint32_t at) noexcept nogil:
    """The order's leaves count as open from now on."""
    cdef Slot *slot = &engine.slots[at]
    if slot.flags & FLAG_COUNTED:
        return
    slot.flags |= FLAG_COUNTED
    _add_open(engine, slot, slot.leaves_lots)
    engine.symbols[slot.symbol].open_orders += 1
    open_add(engine, at)


cdef void shadow_release(Engine *engine, uint32_t at) noexcept nogil:
    """Nothing of the order is open any more."""
    cdef Slot *slot = &engine.slots[at]
    if slot.flags & FLAG_COUNTED:
        slot.flags &= ~FLAG_COUNTED
        _add_open(engine, slot, -slot.leaves_lots)
        engine.symbols[slot.symbol].open_orders -= 1
    if slot.flags & FLAG_CANCEL_WANTED:
        slot.flags &= ~FLAG_CANCEL_WANTED
        engine.n_cancel_wanted -= 1
    if slot.flags & FLAG_VERIFY:
        slot.flags &= ~FLAG_VERIFY
        engine.n_verify -= 1
    slot.leaves_lots = 0
    slot.deadline_ns = 0
    open_remove(engine, at)


cdef void _set_status(Engine *engine, Slot *slot, int status) noexcept nogil:
    if slot.ord_status == ORD_STATUS_UNKNOWN and status != ORD_STATUS_UNKNOWN:
        engine.n_unknown -= 1
        slot.unknown_since_ns = 0
        slot.not_found_ns = 0
        if slot.flags & FLAG_RECOVERED:
            slot.flags &= ~FLAG_RECOVERED
            engine.symbols[slot.symbol].recovering -= 1
    if status == ORD_STATUS_UNKNOWN and slot.ord_status != ORD_STATUS_UNKNOWN:
        engine.n_unknown += 1
        slot.unknown_since_ns = engine.boottime_ns
    slot.ord_status = status
    slot.intent_state = INTENT_OF[status]


cdef int shadow_apply(Engine *engine, uint32_t at, int event) noexcept nogil:
    """Moves one order by one event that is no fill; answers what the caller has to do."""
    cdef Slot *slot = &engine.slots[at]
    cdef int cell = event * ORD_STATUS_COUNT + slot.ord_status
    cdef int actions = ACTIONS[cell]
    cdef int status = NEXT[cell]
    if status == ORD_STATUS_NEW and slot.cum_lots > 0:
        status = ORD_STATUS_PARTIALLY_FILLED
    if actions & ACT_REOPEN:
        slot.leaves_lots = slot.qty_lots - slot.cum_lots
        shadow_reserve(engine, at)
    if status:
        _set_status(engine, slot, status)
    if actions & ACT_CLOSE:
        shadow_release(engine, at)
    return actions


cdef int shadow_fill(Engine *engine, uint32_t at, int64_t lots, int64_t ticks,
                     int64_t fee_nanos) noexcept nogil:
    """Applies one fill: order, position, cash, fees. What was filled is real in every state."""
    cdef Slot *slot = &engine.slots[at]
    cdef SymbolState *symbol = &engine.symbols[slot.symbol]
    cdef PhaseSymbol *own = &engine.phases[slot.phase].symbol[slot.symbol]
    cdef int cell = EVENT_TRADE * ORD_STATUS_COUNT + slot.ord_status
    cdef int actions = ACTIONS[cell]
    cdef int64_t signed_lots = lots if slot.side == SIDE_BUY else -lots
    cdef int64_t cash = -notional_nanos(2 * ticks, signed_lots, symbol.nanos_per_tick_lot)
    cdef int64_t opened = lots if lots < slot.leaves_lots else slot.leaves_lots
    symbol.position_lots += signed_lots
    symbol.cash_nanos += cash
    symbol.fee_nanos += fee_nanos
    symbol.last_fill_ticks = ticks
    own.position_lots += signed_lots
    own.cash_nanos += cash
    own.fee_nanos += fee_nanos
    slot.cum_lots += lots
    if slot.flags & FLAG_COUNTED:
        _add_open(engine, slot, -opened)
        slot.leaves_lots -= opened
    if slot.cum_lots > slot.qty_lots:
        actions |= ACT_HALT
    if NEXT[cell] or slot.flags & FLAG_COUNTED:
        if slot.leaves_lots == 0 and slot.cum_lots >= slot.qty_lots:
            _set_status(engine, slot, ORD_STATUS_FILLED)
            shadow_release(engine, at)
        elif NEXT[cell]:
            _set_status(engine, slot, NEXT[cell])
    return actions


cdef inline uint64_t _stir(uint64_t a) noexcept nogil:
    a ^= a >> 33
    a *= <uint64_t>0xff51afd7ed558ccd
    a ^= a >> 33
    a *= <uint64_t>0xc4ceb9fe1a85ec53
    return a ^ (a >> 33)


cdef int shadow_trade_key(Engine *engine, int32_t symbol, View trade_id) noexcept nogil:
    """Remembers (symbol, trade id) for ever; venue and account are those of the engine."""
    cdef uint64_t first = <uint64_t>0x9e3779b97f4a7c15 + symbol
    cdef uint64_t second = <uint64_t>0xc2b2ae3d27d4eb4f ^ trade_id.size
    cdef uint64_t word, at
    cdef int32_t i = 0
    while i < trade_id.size:
        word = 0
        memcpy(&word, trade_id.at + i, 8 if trade_id.size - i >= 8 else trade_id.size - i)
        first = _stir(first ^ word)
        second = _stir(second + word * <uint64_t>0x9fb21c651e98df25)
        i += 8
    second |= 1
    at = first & engine.trades_mask
    while engine.trades[2 * at + 1] != 0:
        if engine.trades[2 * at] == first and engine.trades[2 * at + 1] == second:
            return 0
        at = (at + 1) & engine.trades_mask
    if engine.n_trades * 8 >= (engine.trades_mask + 1) * 7:
        return -1
    engine.trades[2 * at] = first
    engine.trades[2 * at + 1] = second
    engine.n_trades += 1
    return 1


cdef int64_t account_equity_nanos(const Engine *engine, bint at_last_fill) noexcept nogil:
    """Profit since the first record: cash + positions at the reference price - fees."""
    cdef int64_t total = 0
    cdef int64_t half
    cdef int32_t i
    cdef const SymbolState *symbol
    for i in range(engine.n_symbols):
        symbol = &engine.symbols[i]
        half = symbol.last_fill_ticks * 2 if at_last_fill else reference_half_ticks(symbol)
        total += symbol.cash_nanos - symbol.fee_nanos
        total = fixed_add(total, notional_nanos(half, symbol.position_lots,
                                                symbol.nanos_per_tick_lot))
    return total


cdef int64_t phase_equity_nanos(const Engine *engine, int32_t phase,
                                bint at_last_fill) noexcept nogil:
    """The same for one phase."""
    cdef int64_t total = 0
    cdef int64_t half
    cdef int32_t i
    cdef const SymbolState *symbol
    cdef const PhaseSymbol *own
    for i in range(engine.n_symbols):
        symbol = &engine.symbols[i]
        own = &engine.phases[phase].symbol[i]
        half = symbol.last_fill_ticks * 2 if at_last_fill else reference_half_ticks(symbol)
        total += own.cash_nanos - own.fee_nanos
        total = fixed_add(total, notional_nanos(half, own.position_lots,
                                                symbol.nanos_per_tick_lot))
    return total


cdef void shadow_roll_day(Engine *engine, int64_t unix_ns) noexcept nogil:
    """At each new UTC day the loss counts from here, at last fill prices: replay agrees."""
    cdef int64_t day = unix_ns // DAY_NS
    cdef int32_t i
    if day == engine.day:
        return
    engine.day = day
    engine.day_base_nanos = account_equity_nanos(engine, True)
    for i in range(engine.n_phases):
        engine.phases[i].day_base_nanos = phase_equity_nanos(engine, i, True)


cdef uint64_t shadow_hash(const Engine *engine) noexcept nogil:
    """Hash of all durable state, independent of the places it is kept in."""
    cdef uint64_t total = 0
    cdef uint64_t h, word
    cdef uint32_t i
    cdef int32_t k
    cdef const Slot *slot
    cdef const SymbolState *symbol
    for i in range(engine.n_confirmed):
        slot = &engine.slots[engine.confirmed[i]]
        memcpy(&word, &slot.intent_id[8], 8)
        h = _stir(word)
        memcpy(&word, &slot.digest[0], 8)
        h = _stir(h ^ word)
        h = _stir(h ^ slot.ord_status ^ (<uint64_t>slot.intent_state << 8))
        h = _stir(h ^ <uint64_t>slot.cum_lots)
        h = _stir(h ^ <uint64_t>slot.leaves_lots)
        h = _stir(h ^ slot.confirmed_lsn)
        total += h
    for k in range(engine.n_symbols):
        symbol = &engine.symbols[k]
        h = _stir(<uint64_t>(k + 1))
        h = _stir(h ^ <uint64_t>symbol.position_lots)
        h = _stir(h ^ <uint64_t>symbol.open_buy_lots)
        h = _stir(h ^ <uint64_t>symbol.open_sell_lots)
        h = _stir(h ^ <uint64_t>symbol.cash_nanos)
        h = _stir(h ^ <uint64_t>symbol.fee_nanos)
        total += h
    h = _stir(engine.halt_epoch ^ (<uint64_t>engine.halted << 60))
    return total + h + _stir(engine.n_trades)
