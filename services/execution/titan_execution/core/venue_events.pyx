# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What the venue says, event by event: shadow -> record; books -> mid and freshness.

Owns the meaning of a live venue event, and the list of raw codes believed to be definitive. Must
never know the socket, and must never treat an unlisted code as a refusal.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset, strlen

from titan_book.book cimport (
    BOOK_ASK, BOOK_BID, STATE_GAP, BookDelta, book_apply_delta, book_apply_snapshot,
    book_best_ticks, book_is_live,
)
from titan_execution.core.control cimport halt_if_wanted
from titan_execution.core.engine cimport request_cancel, send_wanted_cancel, set_deadline
from titan_execution.core.intents cimport intents_find_order
from titan_execution.core.policy cimport gate_note_venue_reject
from titan_execution.core.records cimport *
from titan_execution.core.reports cimport emit_order, emit_venue
from titan_execution.core.resolve cimport (
    make_unknown, on_link_up, on_order_state, on_position, on_query_end, resolve_ask,
)
from titan_execution.core.shadow cimport (
    ACT_ALARM, ACT_ASK, ACT_HALT, ACT_RECORD, ACT_REOPEN, EVENT_ACK, EVENT_CANCEL_REJECT,
    EVENT_CANCELED, EVENT_EXPIRED, EVENT_REJECT, is_terminal, shadow_apply, shadow_fill,
    shadow_trade_key, symbol_of,
)
from titan_execution.core.state cimport (
    FLAG_CANCEL_WANTED, FLAG_REDUCE_ONLY, LEVELS_MAX, LINK_LOGON, NO_SLOT, Engine, Slot,
    SymbolState,
)
from titan_execution.core.venue_codec cimport codec_levels
from titan_execution.core.vocabulary cimport *


ctypedef const char *Code

# Raw codes that the paper venue raises before its matching: the order certainly does not exist.
# "-2010" (duplicate) is absent on purpose: the order is there already, so ask.
cdef enum:
    DEFINITIVE_COUNT = 15

cdef Code[15] DEFINITIVE = [
    b"-1", b"-1001", b"-1015", b"-1021", b"-1102", b"-1115", b"-1116", b"-1117", b"-1121",
    b"-2022", b"-4005", b"-4013", b"-4164", b"-5021", b"-5022",
]


cdef bint _definitive(const View code) noexcept nogil:
    cdef int i
    for i in range(DEFINITIVE_COUNT):
        if (<int32_t>strlen(DEFINITIVE[i]) == code.size
                and memcmp(DEFINITIVE[i], code.at, code.size) == 0):
            return True
    return False


cdef void _acted(Engine *engine, uint32_t at, int actions) noexcept nogil:
    """What the order table asked for besides the record."""
    if actions & ACT_ALARM:
        engine.counters.alarms += 1
    if actions & ACT_HALT:
        engine.wants_halt = BREAKER_CAUSE_MISMATCH
    if actions & ACT_ASK:
        resolve_ask(engine, at)


cdef void _adopt(Engine *engine, uint32_t at, const VenueEvent *event) noexcept nogil:
    """The record had closed the order, the venue works it: reopened, then cancelled."""
    engine.counters.orphans += 1
    shadow_apply(engine, at, EVENT_ACK)
    emit_venue(engine, RECORD_KIND_ADOPTED, EXEC_TYPE_RESTATED, at, event, False)


cdef inline bint _closed_by_us(const Slot *slot) noexcept nogil:
    return slot.ord_status == ORD_STATUS_REJECTED or slot.ord_status == ORD_STATUS_NOT_PLACED


cdef void _on_ack(Engine *engine, uint32_t at, const VenueEvent *event) noexcept nogil:
    cdef Slot *slot = &engine.slots[at]
    memcpy(&slot.venue_order_id[0], event.venue_order_id.at, event.venue_order_id.size)
    if _closed_by_us(slot):
        _adopt(engine, at, event)
        request_cancel(engine, at)
        return
    if shadow_apply(engine, at, EVENT_ACK) & ACT_RECORD:
        engine.ack_latency_ns = engine.boottime_ns - slot.sent_ns
        slot.deadline_ns = 0
        emit_venue(engine, RECORD_KIND_VENUE_ACK, EXEC_TYPE_NEW, at, event, False)
        if slot.flags & FLAG_CANCEL_WANTED:
            send_wanted_cancel(engine, at)
        elif engine.halted and not slot.cancel_lsn and not slot.flags & FLAG_REDUCE_ONLY:
            request_cancel(engine, at)


cdef void _on_reject(Engine *engine, uint32_t at, const VenueEvent *event) noexcept nogil:
    cdef int actions
    if not _definitive(event.code):
        make_unknown(engine, at, False)
        return
    actions = shadow_apply(engine, at, EVENT_REJECT)
    if actions & ACT_RECORD:
        emit_venue(engine, RECORD_KIND_VENUE_REJECT, EXEC_TYPE_REJECTED, at, event, False)
        gate_note_venue_reject(engine, &engine.slots[at])
    _acted(engine, at, actions)


cdef void _on_trade(Engine *engine, uint32_t at, const VenueEvent *event) noexcept nogil:
    cdef Slot *slot = &engine.slots[at]
    cdef bint late = is_terminal(slot.ord_status)
    cdef int known = shadow_trade_key(engine, slot.symbol, event.trade_id)
    cdef bint adopted = False
    cdef int actions
    if known == 0:
        engine.counters.duplicate_fills += 1
        return
    if known < 0:
        engine.wants_halt = BREAKER_CAUSE_LIMIT    # a fill that cannot be remembered
        return
    if event.venue_order_id.size:
        memcpy(&slot.venue_order_id[0], event.venue_order_id.at, event.venue_order_id.size)
    if _closed_by_us(slot):
        _adopt(engine, at, event)
        adopted = True
    elif late:
        engine.counters.late_fills += 1
    actions = shadow_fill(engine, at, event.qty_lots, event.price_ticks, event.fee_nanos)
    if slot.ord_status != ORD_STATUS_PENDING_CANCEL:
        slot.deadline_ns = 0
    emit_venue(engine, RECORD_KIND_FILL, EXEC_TYPE_TRADE, at, event, event.replayed)
    _acted(engine, at, actions)
    if not event.replayed and event.cum_qty_lots > slot.cum_lots:
        resolve_ask(engine, at)        # a fill is missing
    if adopted and not is_terminal(slot.ord_status):
        request_cancel(engine, at)


cdef void _on_canceled(Engine *engine, uint32_t at, const VenueEvent *event) noexcept nogil:
    if event.cum_qty_lots > engine.slots[at].cum_lots:
        resolve_ask(engine, at)        # a fill is missing: fills first, the end after them
        return
    if shadow_apply(engine, at, EVENT_EXPIRED if event.expired else EVENT_CANCELED) & ACT_RECORD:
        emit_venue(engine, RECORD_KIND_CANCELED,
                   EXEC_TYPE_EXPIRED if event.expired else EXEC_TYPE_CANCELED, at, event, False)


cdef void _on_cancel_reject(Engine *engine, uint32_t at, const VenueEvent *event) noexcept nogil:
    cdef int actions = shadow_apply(engine, at, EVENT_CANCEL_REJECT)
    if actions & ACT_RECORD:
        engine.slots[at].cancel_lsn = 0            # a later CANCEL may try again
        emit_venue(engine, RECORD_KIND_CANCEL_REJECT, EXEC_TYPE_UNSPECIFIED, at, event, False)
    _acted(engine, at, actions)


cdef void _on_order_event(Engine *engine, const VenueEvent *event) noexcept nogil:
    cdef uint32_t at = intents_find_order(engine, event.client_order_id)
    engine.order_events += 1
    if at == NO_SLOT:
        engine.counters.stale_events += 1
        return
    if event.kind == VENUE_ORDER_ACK:
        _on_ack(engine, at, event)
    elif event.kind == VENUE_ORDER_REJECT:
        _on_reject(engine, at, event)
    elif event.kind == VENUE_TRADE:
        _on_trade(engine, at, event)
    elif event.kind == VENUE_ORDER_CANCELED:
        _on_canceled(engine, at, event)
    else:
        _on_cancel_reject(engine, at, event)


# ---- books --------------------------------------------------------------------------------------

cdef void _on_book(Engine *engine, const VenueEvent *event) noexcept nogil:
    cdef int32_t at = symbol_of(engine, event.symbol)
    cdef SymbolState *symbol
    cdef BookDelta delta
    cdef int asks
    if at < 0:
        return
    symbol = &engine.symbols[at]
    memset(&delta, 0, sizeof(BookDelta))
    delta.n_bids = codec_levels(event.bid_ticks, engine.level_ticks, LEVELS_MAX)
    delta.n_asks = codec_levels(event.ask_ticks, engine.level_ticks + LEVELS_MAX, LEVELS_MAX)
    asks = codec_levels(event.ask_lots, engine.level_lots + LEVELS_MAX, LEVELS_MAX)
    if (delta.n_bids < 0 or delta.n_asks < 0 or asks != delta.n_asks
            or codec_levels(event.bid_lots, engine.level_lots, LEVELS_MAX) != delta.n_bids):
        engine.counters.unread_events += 1
        symbol.book.state = STATE_GAP
        engine.resync_wanted = 1
        return
    delta.bid_ticks = engine.level_ticks
    delta.bid_lots = engine.level_lots
    delta.ask_ticks = engine.level_ticks + LEVELS_MAX
    delta.ask_lots = engine.level_lots + LEVELS_MAX
    delta.prev_update_id = <int64_t>event.prev_update_id
    delta.first_update_id = <int64_t>event.update_id
    delta.last_update_id = <int64_t>event.update_id
    delta.update_ns = event.event_boottime_ns
    if event.kind == VENUE_BOOK_SNAPSHOT:
        book_apply_snapshot(&symbol.book, &delta)
    else:
        book_apply_delta(&symbol.book, &delta)
        if symbol.book.state == STATE_GAP:
            engine.resync_wanted = 1
    symbol.book_boottime_ns = event.event_boottime_ns
    if (book_is_live(&symbol.book) and book_best_ticks(&symbol.book, BOOK_BID)
            and book_best_ticks(&symbol.book, BOOK_ASK)):
        symbol.mid_half_ticks = (book_best_ticks(&symbol.book, BOOK_BID)
                                 + book_best_ticks(&symbol.book, BOOK_ASK))


cdef void on_venue_event(Engine *engine, const VenueEvent *event) noexcept nogil:
    """One decoded event; market data first: there is most of it."""
    if event.kind == VENUE_BOOK_DELTA or event.kind == VENUE_BOOK_SNAPSHOT:
        _on_book(engine, event)
    elif VENUE_ORDER_ACK <= event.kind <= VENUE_CANCEL_REJECT:
        _on_order_event(engine, event)
    elif event.kind == VENUE_ORDER_STATE:
        on_order_state(engine, event)
    elif event.kind == VENUE_POSITION:
        on_position(engine, event)
    elif event.kind == VENUE_QUERY_END:
        on_query_end(engine, event)
    elif event.kind == VENUE_LOGON_ACCEPTED:
        engine.venue_epoch = event.venue_epoch
        engine.clock_offset_ns = event.boottime_ns - engine.boottime_ns
        on_link_up(engine)
    elif event.kind == VENUE_REQUEST_REFUSED:
        engine.counters.stale_events += 1
        if event.request_id:
            on_query_end(engine, event)            # complete is False: evidence of nothing
    halt_if_wanted(engine)
