# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The pre-trade gate: policy hash, lease, sizes, exposure, collar, rate; cheap first.

Owns every denial of an order and the evidence behind it. Must never know sockets, journals or how
a refusal reaches its reader. Its slow twin is tests/contract/reference/gate.py.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset, strncpy

from titan_book.book cimport (
    BOOK_ASK, BOOK_BID, BookWalk, book_best_ticks, book_is_live, book_walk,
)
from titan_execution.core.fixed cimport fixed_add
from titan_execution.core.records cimport CHECKS_MAX, FIELD_BYTES, HASH_BYTES, Check, Intent, View
from titan_execution.core.shadow cimport (
    account_equity_nanos, notional_nanos, phase_equity_nanos, phase_of, reference_half_ticks,
    symbol_of,
)
from titan_execution.core.state cimport (
    FLAG_REDUCE_ONLY, LINK_UP, OPEN_MAX, RATE_BUCKETS, RECENT_MAX, REPEATS_MAX, Engine, LeaseState,
    OpenRef, PhaseState, PhaseSymbol, Policy, Recent, Repeat, Slot, SymbolState,
)
from titan_execution.core.vocabulary cimport *


cdef enum:
    BUCKET_NS = 50000000

    OPEN_SPARE = 256           # places kept for orders that recovery or the venue bring back
    PPM = 1000000

cdef int64_t MINUTE_NS = 60000000000

# Reasons whose repetition by a phase is a fault of the phase (C11); the others may heal.
cdef uint8_t[44] FAULT_OF_PHASE = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0,
    0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1,
]


cdef void gate_open(Gate *gate) noexcept nogil:
    gate.checks.count = 0
    gate.rejection.reason = 0
    gate.rejection.value = 0
    gate.rejection.limit = 0
    gate.rejection.field[0] = 0
    gate.symbol = -1
    gate.phase = -1
    gate.reducing = 0


cdef bint gate_deny(Gate *gate, int reason, int64_t value, int64_t limit,
                    const char *field) noexcept nogil:
    """Names the reason; answers False so that a recipe can return it."""
    gate.rejection.reason = reason
    gate.rejection.value = value
    gate.rejection.limit = limit
    strncpy(gate.rejection.field, field, FIELD_BYTES - 1)
    gate.rejection.field[FIELD_BYTES - 1] = 0
    return False


cdef inline bint _check(Gate *gate, int reason, int64_t value, int64_t limit, bint passed,
                        const char *field) noexcept nogil:
    """Puts one evaluated check on record; a failed one becomes the rejection."""
    cdef Check *check
    if gate.checks.count < CHECKS_MAX:
        check = &gate.checks.item[gate.checks.count]
        gate.checks.count += 1
        check.reason = reason
        check.value = value
        check.limit = limit
        check.passed = passed
    if not passed:
        gate_deny(gate, reason, value, limit, field)
    return passed


cdef inline int64_t _min(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef inline int64_t _max(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b


cdef inline int64_t _abs(int64_t a) noexcept nogil:
    return a if a >= 0 else -a


cdef bint _hash_in_force(const Engine *engine, const uint8_t *hash) noexcept nogil:
    if memcmp(hash, &engine.policy.hash[0], HASH_BYTES) == 0:
        return True
    return (engine.policy.previous_until_ns > engine.boottime_ns
            and memcmp(hash, &engine.policy.previous_hash[0], HASH_BYTES) == 0)


cdef int trading_state(const Engine *engine) noexcept nogil:
    """The tighter of latch and lease; without a living lease DEFENSIVE."""
    if engine.halted:
        return TRADING_STATE_HALTED
    if engine.lease.expires_ns <= engine.boottime_ns:
        return TRADING_STATE_DEFENSIVE
    return engine.lease.state


# ---- rate ---------------------------------------------------------------------------------------

cdef void _rate_expire(Engine *engine) noexcept nogil:
    cdef int64_t oldest = engine.boottime_ns // BUCKET_NS - RATE_BUCKETS
    cdef int i
    for i in range(RATE_BUCKETS):
        if engine.rate_count[i] and engine.rate_slot[i] <= oldest:
            engine.rate_total -= engine.rate_count[i]
            engine.rate_count[i] = 0


cdef bint rate_has(Engine *engine, bint privileged, int64_t *used, int64_t *limit) noexcept nogil:
    """Room for one more message in any second that ends now."""
    cdef int64_t allowed = engine.policy.max_messages
    if not privileged:
        allowed = allowed * (100 - engine.policy.cancel_reserve_pct) // 100
    limit[0] = allowed
    if engine.rate_total >= allowed:
        _rate_expire(engine)
    used[0] = engine.rate_total + 1
    return engine.rate_total < allowed


cdef void rate_take(Engine *engine) noexcept nogil:
    """One message leaves now."""
    cdef int64_t bucket = engine.boottime_ns // BUCKET_NS
    cdef int at = <int>(bucket % RATE_BUCKETS)
    if engine.rate_slot[at] != bucket:
        engine.rate_total -= engine.rate_count[at]
        engine.rate_count[at] = 0
        engine.rate_slot[at] = bucket
    engine.rate_count[at] += 1
    engine.rate_total += 1


# ---- the parts of the gate ----------------------------------------------------------------------

cdef bint _identity(Engine *engine, const Intent *intent, const uint8_t *frame_hash,
                    Gate *gate) noexcept nogil:
    """Policy hash, account, instrument, phase."""
    cdef SymbolState *symbol
    if not _check(gate, REJECT_REASON_POLICY_HASH_MISMATCH, 0, 0,
                  _hash_in_force(engine, frame_hash), b"frame.policy_hash"):
        return False
    if not _hash_in_force(engine, &intent.policy_hash[0]):
        return gate_deny(gate, REJECT_REASON_POLICY_HASH_MISMATCH, 0, 0, b"policy_hash")
    if (intent.account.size != engine.account_size
            or memcmp(intent.account.at, &engine.account[0], engine.account_size) != 0):
        return gate_deny(gate, REJECT_REASON_UNKNOWN_ACCOUNT, 0, 0, b"account")
    gate.symbol = symbol_of(engine, intent.symbol)
    if gate.symbol < 0:
        return gate_deny(gate, REJECT_REASON_UNKNOWN_INSTRUMENT, 0, 0, b"symbol")
    symbol = &engine.symbols[gate.symbol]
    if not _check(gate, REJECT_REASON_INSTRUMENT_VERSION, intent.instrument_version,
                  symbol.version, intent.instrument_version == symbol.version,
                  b"instrument_version"):
        return False
    gate.phase = phase_of(engine, intent.phase_id)
    if gate.phase < 0:
        return gate_deny(gate, REJECT_REASON_UNKNOWN_PHASE, 0, 0, b"phase_id")
    return True


cdef bint _time_to_live(Engine *engine, int64_t expires_ns, Gate *gate) noexcept nogil:
    if not _check(gate, REJECT_REASON_INTENT_EXPIRED, engine.boottime_ns, expires_ns,
                  expires_ns > engine.boottime_ns, b"expires_at_boottime_ns"):
        return False
    return _check(gate, REJECT_REASON_TTL_TOO_LONG, expires_ns - engine.boottime_ns,
                  engine.policy.max_intent_ttl_ns,
                  expires_ns - engine.boottime_ns <= engine.policy.max_intent_ttl_ns,
                  b"expires_at_boottime_ns")


cdef bint _venue(Engine *engine, Gate *gate) noexcept nogil:
    """The link; for new risk also the evidence that recovery gathers."""
    if not _check(gate, REJECT_REASON_VENUE_UNAVAILABLE, engine.link, LINK_UP,
                  engine.link == LINK_UP, b"venue.link"):
        return False
    if gate.reducing:
        return True
    if not _check(gate, REJECT_REASON_RECOVERING, engine.reconciled, 1,
                  engine.reconciled, b"venue.reconciled"):
        return False
    if engine.symbols[gate.symbol].recovering:
        return gate_deny(gate, REJECT_REASON_RECOVERING, engine.symbols[gate.symbol].recovering,
                         0, b"symbol.unknown_orders")
    return True


cdef bint _permission(Engine *engine, int64_t must_last_ns, Gate *gate) noexcept nogil:
    """Latch, lease, state, truth: new risk only."""
    cdef LeaseState *lease = &engine.lease
    cdef int64_t score = _max(engine.policy.min_score_open, lease.min_score_open)
    if not _check(gate, REJECT_REASON_TRADING_HALTED, engine.halt_epoch, 0, not engine.halted,
                  b"halt_epoch"):
        return False
    if not lease.granted:
        return gate_deny(gate, REJECT_REASON_LEASE_MISSING, 0, 0, b"lease")
    if not _check(gate, REJECT_REASON_LEASE_EXPIRED, lease.expires_ns - engine.boottime_ns,
                  must_last_ns, lease.expires_ns - engine.boottime_ns > must_last_ns,
                  b"lease.expires"):
        return False
    if lease.state == TRADING_STATE_HALTED:
        return gate_deny(gate, REJECT_REASON_TRADING_HALTED, lease.state, TRADING_STATE_NORMAL,
                         b"lease.state")
    if not _check(gate, REJECT_REASON_TRADING_DEFENSIVE, lease.state, TRADING_STATE_NORMAL,
                  lease.state == TRADING_STATE_NORMAL, b"lease.state"):
        return False
    return _check(gate, REJECT_REASON_TRUTH_BELOW_THRESHOLD, lease.truth_score, score,
                  lease.truth_score >= score, b"lease.truth_score")


cdef bint _shape(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    """Order type and the instrument's grid: for every order."""
    cdef SymbolState *symbol = &engine.symbols[gate.symbol]
    cdef bint allowed = (intent.order_type == ORDER_TYPE_LIMIT
                         or intent.time_in_force == TIME_IN_FORCE_IOC
                         or intent.time_in_force == TIME_IN_FORCE_FOK)
    if not allowed:
        return gate_deny(gate, REJECT_REASON_ORDER_TYPE_NOT_ALLOWED, intent.time_in_force,
                         intent.order_type, b"time_in_force")
    if intent.qty_lots < symbol.min_qty_lots and not gate.reducing:
        return gate_deny(gate, REJECT_REASON_ORDER_QTY_LIMIT, intent.qty_lots,
                         symbol.min_qty_lots, b"instrument.min_qty_lots")
    return _check(gate, REJECT_REASON_ORDER_QTY_LIMIT, intent.qty_lots, symbol.max_qty_lots,
                  intent.qty_lots <= symbol.max_qty_lots, b"qty_lots")


cdef bint _notional(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    cdef SymbolState *symbol = &engine.symbols[gate.symbol]
    cdef int64_t worth = notional_nanos(2 * intent.price_ticks, intent.qty_lots,
                                        symbol.nanos_per_tick_lot)
    if worth < symbol.min_notional_nanos:
        return gate_deny(gate, REJECT_REASON_ORDER_NOTIONAL_LIMIT, worth,
                         symbol.min_notional_nanos, b"instrument.min_notional")
    return _check(gate, REJECT_REASON_ORDER_NOTIONAL_LIMIT, worth,
                  symbol.max_order_notional_nanos, worth <= symbol.max_order_notional_nanos,
                  b"instruments.max_order_notional")


cdef bint _market(Engine *engine, int32_t at, int side, int64_t ticks, int64_t lots,
                  Gate *gate) noexcept nogil:
    """Book alive and fresh, price near it, size it can take."""
    cdef SymbolState *symbol = &engine.symbols[at]
    cdef int64_t age = engine.boottime_ns - symbol.book_boottime_ns
    cdef int64_t mid, distance, best
    cdef BookWalk walk
    if not book_is_live(&symbol.book):
        return gate_deny(gate, REJECT_REASON_BOOK_NOT_LIVE, symbol.book.state, 2, b"book.state")
    if (book_best_ticks(&symbol.book, BOOK_BID) == 0
            or book_best_ticks(&symbol.book, BOOK_ASK) == 0):
        return gate_deny(gate, REJECT_REASON_BOOK_NOT_LIVE, 0, 2, b"book.side")
    if not _check(gate, REJECT_REASON_BOOK_STALE, age, symbol.max_book_age_ns,
                  age <= symbol.max_book_age_ns, b"instruments.max_book_age_ms"):
        return False
    mid = (book_best_ticks(&symbol.book, BOOK_BID) + book_best_ticks(&symbol.book, BOOK_ASK))
    distance = _abs(2 * ticks - mid) * PPM // mid
    if not _check(gate, REJECT_REASON_PRICE_COLLAR, distance, symbol.collar_ppm,
                  distance <= symbol.collar_ppm, b"instruments.price_collar_ppm"):
        return False
    best = book_best_ticks(&symbol.book, BOOK_ASK if side == SIDE_BUY else BOOK_BID)
    if ticks < best if side == SIDE_BUY else ticks > best:
        return True
    book_walk(&symbol.book, BOOK_ASK if side == SIDE_BUY else BOOK_BID, lots, ticks, &walk)
    return _check(gate, REJECT_REASON_IMPACT_LIMIT, walk.impact_ppm, symbol.max_impact_ppm,
                  walk.impact_ppm <= symbol.max_impact_ppm, b"instruments.max_impact_ppm")


cdef inline int64_t _worst(int64_t position, int64_t buys, int64_t sells) noexcept nogil:
    """Largest |position| when everything open on one side fills."""
    return _max(_abs(position + buys), _abs(position - sells))


cdef bint _exposure(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    """Position, gross, leverage, phase budget: open, reserved and unknown orders count as filled."""
    cdef SymbolState *symbol = &engine.symbols[gate.symbol]
    cdef PhaseState *phase = &engine.phases[gate.phase]
    cdef SymbolState *other
    cdef PhaseSymbol *own
    cdef int64_t buys, sells, half, worst, limit
    cdef int64_t gross = 0
    cdef int64_t used = 0
    cdef int32_t i
    buys = symbol.open_buy_lots + (intent.qty_lots if intent.side == SIDE_BUY else 0)
    sells = symbol.open_sell_lots + (intent.qty_lots if intent.side == SIDE_SELL else 0)
    worst = (symbol.position_lots + buys if intent.side == SIDE_BUY
             else sells - symbol.position_lots)
    if not _check(gate, REJECT_REASON_POSITION_LIMIT, worst, symbol.max_position_lots,
                  worst <= symbol.max_position_lots, b"instruments.max_position_lots"):
        return False
    for i in range(engine.n_symbols):
        other = &engine.symbols[i]
        own = &phase.symbol[i]
        half = reference_half_ticks(other)
        buys = 0
        sells = 0
        if i == gate.symbol:
            half = _max(half, 2 * intent.price_ticks)
            buys = intent.qty_lots if intent.side == SIDE_BUY else 0
            sells = intent.qty_lots if intent.side == SIDE_SELL else 0
        worst = _worst(other.position_lots, other.open_buy_lots + buys,
                       other.open_sell_lots + sells)
        gross = fixed_add(gross, notional_nanos(half, worst, other.nanos_per_tick_lot))
        worst = _worst(own.position_lots, own.open_buy_lots + buys, own.open_sell_lots + sells)
        used = fixed_add(used, notional_nanos(half, worst, other.nanos_per_tick_lot))
    limit = _min(engine.policy.max_gross_nanos, engine.lease.max_gross_nanos)
    if not _check(gate, REJECT_REASON_GROSS_EXPOSURE_LIMIT, gross, limit, gross <= limit,
                  b"account.max_gross_notional"):
        return False
    limit = _min(engine.policy.max_leverage_pct, engine.lease.max_leverage_pct)
    half = (gross // (engine.policy.equity_nanos // 100)) if engine.policy.equity_nanos >= 100 else 0
    if not _check(gate, REJECT_REASON_LEVERAGE_LIMIT, half, limit,
                  gross <= limit * (engine.policy.equity_nanos // 100),
                  b"account.max_leverage_pct"):
        return False
    if phase.lease_notional_nanos < 0:
        return gate_deny(gate, REJECT_REASON_UNKNOWN_PHASE, 0, 0, b"lease.budgets")
    limit = _min(phase.max_notional_nanos, phase.lease_notional_nanos) if phase.lease_allowed else 0
    return _check(gate, REJECT_REASON_PHASE_BUDGET, used, limit, used <= limit,
                  b"phases.max_notional")


cdef bint _loss(Engine *engine, Gate *gate) noexcept nogil:
    """Loss of the UTC day, realised and unrealised at mid, of account and phase."""
    cdef PhaseState *phase = &engine.phases[gate.phase]
    cdef int64_t loss = engine.day_base_nanos - account_equity_nanos(engine, False)
    if not _check(gate, REJECT_REASON_DAILY_LOSS_LIMIT, loss, engine.policy.max_daily_loss_nanos,
                  loss < engine.policy.max_daily_loss_nanos, b"account.max_daily_loss"):
        return False
    loss = phase.day_base_nanos - phase_equity_nanos(engine, gate.phase, False)
    return _check(gate, REJECT_REASON_DAILY_LOSS_LIMIT, loss, phase.max_daily_loss_nanos,
                  loss < phase.max_daily_loss_nanos, b"phases.max_daily_loss")


cdef bint _neighbours(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    """Open orders, self-trade, duplicates: the order beside our other orders."""
    cdef SymbolState *symbol = &engine.symbols[gate.symbol]
    cdef OpenRef *ref
    cdef int32_t i
    if not _check(gate, REJECT_REASON_OPEN_ORDERS_LIMIT, symbol.open_orders + 1,
                  symbol.max_open_orders, symbol.open_orders < symbol.max_open_orders,
                  b"instruments.max_open_orders"):
        return False
    for i in range(engine.n_open):
        ref = &engine.open[i]
        if ref.symbol != gate.symbol or ref.side == intent.side or not ref.resting:
            continue
        if (intent.price_ticks >= ref.price_ticks if intent.side == SIDE_BUY
                else intent.price_ticks <= ref.price_ticks):
            return gate_deny(gate, REJECT_REASON_SELF_TRADE, intent.price_ticks, ref.price_ticks,
                             b"price_ticks")
    return _not_repeated(engine, intent, gate)


cdef bint _not_repeated(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    """Duplicate window (C05); a window that outgrew its memory refuses rather than forgets."""
    cdef int64_t since = engine.boottime_ns - engine.policy.duplicate_window_ns
    cdef uint32_t back = 1
    cdef Recent *recent
    if engine.policy.duplicate_window_ns == 0:
        return True
    while back <= engine.n_recent:
        if back > RECENT_MAX:
            return gate_deny(gate, REJECT_REASON_OVERLOADED, back, RECENT_MAX,
                             b"account.duplicate_window_ms")
        recent = &engine.recent[(engine.n_recent - back) % RECENT_MAX]
        if recent.at_ns < since:
            return True
        if (recent.symbol == gate.symbol and recent.side == intent.side
                and recent.price_ticks == intent.price_ticks
                and recent.qty_lots == intent.qty_lots):
            return gate_deny(gate, REJECT_REASON_DUPLICATE_ORDER,
                             engine.boottime_ns - recent.at_ns,
                             engine.policy.duplicate_window_ns, b"account.duplicate_window_ms")
        back += 1
    return True


cdef bint _rate(Engine *engine, Gate *gate) noexcept nogil:
    cdef int64_t used, limit
    cdef bint room = rate_has(engine, gate.reducing, &used, &limit)
    return _check(gate, REJECT_REASON_ORDER_RATE, used, limit, room,
                  b"account.max_messages_per_second")


cdef bint _reduces(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    """A reduce-only order must shrink |position| also after every open order of its side."""
    cdef SymbolState *symbol = &engine.symbols[gate.symbol]
    cdef int64_t room
    if intent.side == SIDE_SELL:
        room = symbol.position_lots - symbol.open_sell_lots
    else:
        room = -symbol.position_lots - symbol.open_buy_lots
    gate.reducing = 1
    return _check(gate, REJECT_REASON_NOT_REDUCING, intent.qty_lots, _max(room, 0),
                  intent.qty_lots <= room, b"reduce_only")


# ---- the gate -----------------------------------------------------------------------------------

cdef bint gate_prepare(Engine *engine, const Intent *intent, const uint8_t *frame_hash,
                       Gate *gate) noexcept nogil:
    """Whether a new intent may be reserved; the intent is decoded, its id was never used."""
    if not _identity(engine, intent, frame_hash, gate):
        return False
    if not _time_to_live(engine, intent.expires_boottime_ns, gate):
        return False
    if engine.stopping:
        return gate_deny(gate, REJECT_REASON_SHUTTING_DOWN, 0, 0, b"")
    if intent.reduce_only:
        return (_reduces(engine, intent, gate) and _shape(engine, intent, gate)
                and _venue(engine, gate) and _rate(engine, gate))
    return (_permission(engine, 0, gate)
            and _venue(engine, gate)
            and _shape(engine, intent, gate)
            and _size(engine, intent, gate)
            and _notional(engine, intent, gate)
            and _market(engine, gate.symbol, intent.side, intent.price_ticks, intent.qty_lots,
                        gate)
            and _exposure(engine, intent, gate)
            and _loss(engine, gate)
            and _neighbours(engine, intent, gate)
            and _rate(engine, gate)
            and _throttle(engine, gate))


cdef bint _size(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    cdef SymbolState *symbol = &engine.symbols[gate.symbol]
    return _check(gate, REJECT_REASON_ORDER_QTY_LIMIT, intent.qty_lots,
                  symbol.max_order_qty_lots, intent.qty_lots <= symbol.max_order_qty_lots,
                  b"instruments.max_order_qty_lots")


cdef bint _throttle(Engine *engine, Gate *gate) noexcept nogil:
    cdef PhaseState *phase = &engine.phases[gate.phase]
    return _check(gate, REJECT_REASON_REPEAT_THROTTLE, phase.latched, 0, not phase.latched,
                  b"phases.max_repeats_per_minute")


cdef bint gate_confirm(Engine *engine, uint32_t at, const uint8_t *frame_hash,
                       Gate *gate) noexcept nogil:
    """Runs again what may have changed since PREPARE; the order itself is reserved already."""
    cdef Slot *slot = &engine.slots[at]
    cdef SymbolState *symbol = &engine.symbols[slot.symbol]
    cdef const uint8_t *prepared_hash = &engine.reservations[slot.reservation].policy_hash[0]
    cdef int64_t over
    gate.symbol = slot.symbol
    gate.phase = slot.phase
    gate.reducing = (slot.flags & FLAG_REDUCE_ONLY) != 0
    if not _check(gate, REJECT_REASON_POLICY_HASH_MISMATCH, 0, 0,
                  _hash_in_force(engine, frame_hash) and _hash_in_force(engine, prepared_hash),
                  b"policy_hash"):
        return False
    if not _check(gate, REJECT_REASON_INTENT_EXPIRED, engine.boottime_ns,
                  slot.expires_boottime_ns, slot.expires_boottime_ns > engine.boottime_ns,
                  b"expires_at_boottime_ns"):
        return False
    if gate.reducing:
        over = (symbol.open_sell_lots - symbol.position_lots if slot.side == SIDE_SELL
                else symbol.open_buy_lots + symbol.position_lots)
        return (_check(gate, REJECT_REASON_NOT_REDUCING, over, 0, over <= 0, b"reduce_only")
                and _venue(engine, gate) and _rate(engine, gate))
    return (_permission(engine, engine.policy.request_expiry_ns, gate)
            and _venue(engine, gate)
            and _market(engine, slot.symbol, slot.side, slot.price_ticks, slot.qty_lots, gate)
            and _rate(engine, gate))


cdef uint64_t order_key(int32_t symbol, int side, int64_t ticks, int64_t lots) noexcept nogil:
    """Names an order by what it asks for."""
    cdef uint64_t key = <uint64_t>(symbol * 4 + side)
    key = (key ^ <uint64_t>ticks) * <uint64_t>0x9e3779b97f4a7c15
    key = (key ^ <uint64_t>lots ^ (key >> 29)) * <uint64_t>0xbf58476d1ce4e5b9
    return key | 1


cdef void gate_reserved(Engine *engine, uint32_t at) noexcept nogil:
    """Remembers an approved order for the duplicate window."""
    cdef Slot *slot = &engine.slots[at]
    cdef Recent *recent = &engine.recent[engine.n_recent % RECENT_MAX]
    if engine.policy.duplicate_window_ns == 0:
        return
    engine.n_recent += 1
    recent.at_ns = engine.boottime_ns
    recent.price_ticks = slot.price_ticks
    recent.qty_lots = slot.qty_lots
    recent.symbol = slot.symbol
    recent.side = slot.side


cdef void _note(Engine *engine, int32_t phase_at, uint64_t key) noexcept nogil:
    """Counts one more denial of an equal order; too many in a minute latch the phase (C11)."""
    cdef PhaseState *phase = &engine.phases[phase_at]
    cdef Repeat *oldest = &phase.repeats[0]
    cdef Repeat *repeat
    cdef int i
    for i in range(REPEATS_MAX):
        repeat = &phase.repeats[i]
        if repeat.key == key:
            oldest = repeat
            break
        if repeat.window_start_ns < oldest.window_start_ns:
            oldest = repeat
    if oldest.key != key or engine.boottime_ns - oldest.window_start_ns > MINUTE_NS:
        oldest.key = key
        oldest.window_start_ns = engine.boottime_ns
        oldest.count = 0
    oldest.count += 1
    if oldest.count > phase.max_repeats:
        phase.latched = 1


cdef void gate_note_refusal(Engine *engine, const Gate *gate, uint64_t key) noexcept nogil:
    engine.counters.refused += 1
    engine.counters.refused_by_reason[gate.rejection.reason & 63] += 1
    if gate.phase >= 0 and gate.symbol >= 0 and FAULT_OF_PHASE[gate.rejection.reason]:
        _note(engine, gate.phase, key)


cdef void gate_note_venue_reject(Engine *engine, const Slot *slot) noexcept nogil:
    _note(engine, slot.phase,
          order_key(slot.symbol, slot.side, slot.price_ticks, slot.qty_lots))
