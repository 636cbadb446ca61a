# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Control from Python: leases, the brake, orders over gRPC, and consistent copies of the state.

Owns the layout of both rings' records. Must never know gRPC or asyncio; an answer leaves only after
the commit of the batch that made it.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen

from titan_book.book cimport BOOK_ASK, BOOK_BID, book_best_ticks, book_is_live
from titan_execution.core.codec cimport codec_lease, encode_rejection_to
from titan_execution.core.control cimport on_defensive, on_halt, on_lease, on_resume
from titan_execution.core.engine cimport on_cancel, on_confirm, on_prepare
from titan_execution.core.intents cimport intents_find
from titan_execution.core.policy cimport trading_state
from titan_execution.core.reports cimport RECORD_PREFIX
from titan_execution.core.records cimport (
    Answer, IntentRef, Lease, Rejection, View,
)
from titan_execution.core.resolve cimport positions_comparable
from titan_execution.core.state cimport (
    FLAG_REDUCE_ONLY, NO_SLOT, Engine, Slot, Stage, SymbolState, view_of,
)
from titan_execution.core.vocabulary cimport *


cdef enum:
    ANSWER_LEAD = 13        # u32 size | u64 correlation | u8 status
    ANSWER_ROOM = 131072
    ORDERS_PAGE_MAX = 256


cdef void _answer(Stage *stage, uint64_t correlation, int status, const void *body,
                  int64_t size) noexcept nogil:
    """Stages one answer; body may already lie in place."""
    cdef uint8_t *at = stage.bytes + stage.size
    cdef uint32_t whole = <uint32_t>(9 + size)
    memcpy(at, &whole, 4)
    memcpy(at + 4, &correlation, 8)
    at[12] = <uint8_t>status
    if body != NULL and size:
        memcpy(at + ANSWER_LEAD, body, size)
    stage.size += ANSWER_LEAD + size


cdef void _reject(Stage *stage, uint64_t correlation, const Rejection *why) noexcept nogil:
    cdef int64_t size = encode_rejection_to(why, stage.bytes + stage.size + ANSWER_LEAD, 512)
    _answer(stage, correlation, ANSWER_REJECTED, NULL, size)


cdef void _submit(Engine *engine, uint64_t correlation, const uint8_t *body, uint32_t size,
                  Stage *stage) noexcept nogil:
    """PREPARE and CONFIRM in one step; a refused CONFIRM leaves the reservation to its TTL.

    Answers LSN, client order id and, for a new promise, the CONFIRMED record as journaled.
    """
    cdef Answer answer
    cdef IntentRef ref
    cdef int64_t staged = engine.records.size
    cdef int64_t record = 0
    cdef const uint8_t *in_force = &engine.policy.hash[0]
    # The caller is authorised by role at the gRPC edge; here it speaks as an operator would.
    on_prepare(engine, view_of(body, <int32_t>size), in_force, view_of(b"operator", 8), &answer)
    if answer.frame_type == FRAME_TYPE_PREPARED:
        memcpy(&ref.intent_id[0], &answer.intent_id[0], ID_BYTES)
        ref.token = answer.token
        on_confirm(engine, &ref, in_force, &answer)
    if answer.frame_type != FRAME_TYPE_ACCEPTED:
        _reject(stage, correlation, &answer.rejection)
        return
    memcpy(stage.bytes + stage.size + ANSWER_LEAD, &answer.lsn, 8)
    memcpy(stage.bytes + stage.size + ANSWER_LEAD + 8, &answer.client_order_id[0], 26)
    if engine.records.size > staged + RECORD_PREFIX:
        record = engine.records.size - staged - RECORD_PREFIX
        memcpy(stage.bytes + stage.size + ANSWER_LEAD + 34,
               engine.records.bytes + staged + RECORD_PREFIX, record)
    _answer(stage, correlation, ANSWER_OK, NULL, 34 + record)


cdef void _cancel(Engine *engine, uint64_t correlation, const uint8_t *body,
                  Stage *stage) noexcept nogil:
    cdef Answer answer
    cdef IntentRef ref
    memcpy(&ref.intent_id[0], body, ID_BYTES)
    on_cancel(engine, &ref, &answer)
    if answer.frame_type == FRAME_TYPE_REFUSED:
        _reject(stage, correlation, &answer.rejection)
    else:
        _answer(stage, correlation, ANSWER_OK, &answer.lsn, 8)


cdef void _edge(Engine *engine, uint64_t correlation, uint64_t lsn, Stage *stage) noexcept nogil:
    """state u8 | pad 7 | halt epoch | lsn | lease expiry | last lsn | epoch: what control calls answer."""
    cdef uint64_t words[6]
    words[0] = <uint64_t>trading_state(engine)
    words[1] = engine.halt_epoch
    words[2] = lsn
    words[3] = <uint64_t>engine.lease.expires_ns
    words[4] = engine.next_lsn - 1
    words[5] = engine.epoch
    _answer(stage, correlation, ANSWER_OK, words, sizeof(words))


cdef void _lease(Engine *engine, uint64_t correlation, const uint8_t *body, uint32_t size,
                 Stage *stage) noexcept nogil:
    cdef Lease lease
    cdef Rejection why
    if codec_lease(body, <int32_t>size, &lease, &why) or not on_lease(engine, &lease, &why):
        _reject(stage, correlation, &why)
    else:
        _edge(engine, correlation, 0, stage)


cdef void _latch(Engine *engine, uint64_t correlation, uint8_t kind, const uint8_t *body,
                 uint32_t size, Stage *stage) noexcept nogil:
    """HALT, RESUME, DEFENSIVE: lead, then operator id, then text."""
    cdef uint32_t lead = 8 if kind == CONTROL_RESUME else 1
    cdef uint64_t halt_epoch = 0
    cdef uint64_t before = engine.next_lsn
    cdef Rejection why
    cdef View operator_id, text
    if size < lead + 1 or size < lead + 1 + body[lead]:
        return
    operator_id = view_of(body + lead + 1, body[lead])
    text = view_of(body + lead + 1 + body[lead], <int32_t>(size - lead - 1 - body[lead]))
    if kind == CONTROL_RESUME:
        memcpy(&halt_epoch, body, 8)
        if not on_resume(engine, halt_epoch, text, operator_id, &why):
            _reject(stage, correlation, &why)
            return
    elif kind == CONTROL_HALT:
        on_halt(engine, body[0], text, operator_id)
    else:
        on_defensive(engine, body[0], text, operator_id)
    _edge(engine, correlation, before if engine.next_lsn != before else 0, stage)


# ---- copies -------------------------------------------------------------------------------------

cdef void _order_view(const Slot *slot, OrderView *out) noexcept nogil:
    memcpy(&out.intent_id[0], &slot.intent_id[0], ID_BYTES)
    memcpy(&out.client_order_id[0], &slot.client_order_id[0], 28)
    memcpy(&out.venue_order_id[0], &slot.venue_order_id[0], 37)
    out.side = slot.side
    out.order_type = slot.order_type
    out.time_in_force = slot.time_in_force
    out.ord_status = slot.ord_status
    out.intent_state = slot.intent_state
    out.reduce_only = (slot.flags & FLAG_REDUCE_ONLY) != 0
    out.symbol = slot.symbol
    out.phase = slot.phase
    out.qty_lots = slot.qty_lots
    out.price_ticks = slot.price_ticks
    out.cum_lots = slot.cum_lots
    out.leaves_lots = slot.leaves_lots
    out.confirmed_lsn = slot.confirmed_lsn
    out.last_lsn = slot.last_lsn


cdef void _order(Engine *engine, uint64_t correlation, const uint8_t *body,
                 Stage *stage) noexcept nogil:
    cdef OrderView view
    cdef uint32_t at = intents_find(engine, body)
    if at == NO_SLOT or not engine.slots[at].confirmed_lsn:
        _answer(stage, correlation, ANSWER_OK, NULL, 0)
        return
    _order_view(&engine.slots[at], &view)
    _answer(stage, correlation, ANSWER_OK, &view, sizeof(OrderView))


cdef uint32_t _confirmed_below(const Engine *engine, uint64_t before_lsn) noexcept nogil:
    """How many confirmed orders have an LSN below it."""
    cdef uint32_t low = 0
    cdef uint32_t high = engine.n_confirmed
    cdef uint32_t middle
    if before_lsn == 0:
        return high
    while low < high:
        middle = (low + high) >> 1
        if engine.slots[engine.confirmed[middle]].confirmed_lsn < before_lsn:
            low = middle + 1
        else:
            high = middle
    return low


cdef void _orders(Engine *engine, uint64_t correlation, const uint8_t *body,
                  Stage *stage) noexcept nogil:
    """u32 count | u64 next before_lsn (0 = no more) | OrderView each, newest first.

    Looks at no more than 65536 orders a call: a page may be short and still have a successor.
    """
    cdef uint64_t before_lsn
    cdef uint32_t page, at
    cdef uint32_t count = 0
    cdef uint32_t looked = 0
    cdef uint64_t next_lsn = 0
    cdef const Slot *slot
    cdef uint8_t *out = stage.bytes + stage.size + ANSWER_LEAD
    memcpy(&before_lsn, body, 8)
    memcpy(&page, body + 8, 4)
    page = page if page < ORDERS_PAGE_MAX else ORDERS_PAGE_MAX
    at = _confirmed_below(engine, before_lsn)
    while at > 0 and count < page and looked < 65536:
        at -= 1
        looked += 1
        slot = &engine.slots[engine.confirmed[at]]
        next_lsn = slot.confirmed_lsn
        if body[12] and slot.open_at < 0:
            continue
        _order_view(slot, <OrderView *>(out + 12 + count * sizeof(OrderView)))
        count += 1
    if at == 0:
        next_lsn = 0
    memcpy(out, &count, 4)
    memcpy(out + 4, &next_lsn, 8)
    _answer(stage, correlation, ANSWER_OK, NULL, 12 + count * <int64_t>sizeof(OrderView))


cdef int64_t _oldest_unknown(const Engine *engine) noexcept nogil:
    cdef int64_t oldest = 0
    cdef int32_t i
    cdef const Slot *slot
    if engine.n_unknown == 0:
        return 0
    for i in range(engine.n_open):
        slot = &engine.slots[engine.open[i].slot]
        if slot.ord_status == ORD_STATUS_UNKNOWN:
            if engine.boottime_ns - slot.unknown_since_ns > oldest:
                oldest = engine.boottime_ns - slot.unknown_since_ns
    return oldest


cdef void _holder(const Engine *engine, int32_t at, SymbolView *out) noexcept nogil:
    """The phase that holds most of a position on its side: who a flattening order is booked to."""
    cdef int64_t position = engine.symbols[at].position_lots
    cdef int64_t held
    cdef int32_t i
    out.holder = 0
    out.holder_lots = 0
    for i in range(engine.n_phases):
        held = engine.phases[i].symbol[at].position_lots
        if (held > out.holder_lots if position > 0 else held < out.holder_lots):
            out.holder = <uint8_t>i
            out.holder_lots = held


cdef void _symbol_view(const Engine *engine, int32_t at, SymbolView *out) noexcept nogil:
    cdef const SymbolState *symbol = &engine.symbols[at]
    out.position_lots = symbol.position_lots
    out.open_buy_lots = symbol.open_buy_lots
    out.open_sell_lots = symbol.open_sell_lots
    out.cash_nanos = symbol.cash_nanos
    out.fee_nanos = symbol.fee_nanos
    out.bid_ticks = book_best_ticks(&symbol.book, BOOK_BID)
    out.ask_ticks = book_best_ticks(&symbol.book, BOOK_ASK)
    out.book_age_ns = (engine.boottime_ns - symbol.book_boottime_ns
                       if symbol.book_boottime_ns else -1)
    out.update_id = symbol.book.last_update_id
    out.mid_half_ticks = symbol.mid_half_ticks
    out.venue_position_lots = symbol.venue_position_lots
    out.venue_age_ns = (engine.boottime_ns - symbol.venue_position_ns
                        if symbol.venue_position_ns else -1)
    out.book_live = book_is_live(&symbol.book)
    out.comparable = positions_comparable(engine, at)
    _holder(engine, at, out)


cdef void _state(Engine *engine, uint64_t correlation, int32_t sessions,
                 Stage *stage) noexcept nogil:
    """StateView, then one SymbolView per symbol in the order of the policy."""
    cdef uint8_t *out = stage.bytes + stage.size + ANSWER_LEAD
    cdef StateView *view = <StateView *>out
    cdef int32_t i
    memset(view, 0, sizeof(StateView))
    view.epoch = engine.epoch
    view.last_lsn = engine.next_lsn - 1
    view.halt_epoch = engine.halt_epoch
    view.halt_lsn = engine.halt_lsn
    view.brain_epoch = engine.lease.brain_epoch
    view.boottime_ns = engine.boottime_ns
    view.lease_expires_ns = engine.lease.expires_ns
    view.oldest_unknown_ns = _oldest_unknown(engine)
    view.ack_latency_ns = engine.ack_latency_ns
    view.clock_offset_ns = engine.clock_offset_ns
    view.prepared_total = engine.counters.prepared
    view.confirmed_total = engine.counters.confirmed
    view.refused_total = engine.counters.refused
    view.verdicts_dropped = engine.counters.verdicts_dropped
    view.duplicate_fills = engine.counters.duplicate_fills
    view.late_fills = engine.counters.late_fills
    view.orphans = engine.counters.orphans
    view.external_orders = engine.counters.external_orders
    view.venue_open_orders = engine.venue_open_orders
    view.open_orders = <uint32_t>(engine.n_open - engine.n_prepared)
    view.prepared = <uint32_t>engine.n_prepared
    view.unknown_orders = <uint32_t>engine.n_unknown
    view.sessions = <uint32_t>sessions
    view.state = <uint8_t>trading_state(engine)
    view.cause = <uint8_t>engine.edge_cause
    view.link = <uint8_t>engine.link
    view.reconciled = engine.reconciled
    view.lease_granted = engine.lease.granted
    view.n_symbols = <uint8_t>engine.n_symbols
    for i in range(engine.n_symbols):
        _symbol_view(engine, i, <SymbolView *>(out + sizeof(StateView) + i * sizeof(SymbolView)))
    _answer(stage, correlation, ANSWER_OK, NULL,
            sizeof(StateView) + engine.n_symbols * <int64_t>sizeof(SymbolView))


cdef bint door_serve(Engine *engine, uint8_t kind, const uint8_t *body, uint32_t size,
                     int32_t sessions, Stage *answers) noexcept nogil:
    """False: no room for the answer; the message stays in the ring."""
    cdef uint64_t correlation = 0
    if answers.limit - answers.size < ANSWER_ROOM:
        return False
    if size < 8:
        return True
    memcpy(&correlation, body, 8)
    body += 8
    size -= 8
    if kind == CONTROL_SUBMIT:
        _submit(engine, correlation, body, size, answers)
    elif kind == CONTROL_LEASE:
        _lease(engine, correlation, body, size, answers)
    elif kind == CONTROL_STATE:
        _state(engine, correlation, sessions, answers)
    elif kind in (CONTROL_HALT, CONTROL_RESUME, CONTROL_DEFENSIVE):
        _latch(engine, correlation, kind, body, size, answers)
    elif kind == CONTROL_CANCEL and size == ID_BYTES:
        _cancel(engine, correlation, body, answers)
    elif kind == CONTROL_ORDER and size == ID_BYTES:
        _order(engine, correlation, body, answers)
    elif kind == CONTROL_ORDERS and size == 13:
        _orders(engine, correlation, body, answers)
    elif kind == CONTROL_STOP:
        engine.stopping = 1
        _answer(answers, correlation, ANSWER_OK, NULL, 0)
    return True
