# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""UNKNOWN ends only on what the venue says: queries, fence, evidence, adoption, reconciliation.

Owns every question to the venue and what its answers prove. Must never resend an order, and must
never take a failed, partial or early answer for evidence.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from titan_execution.core.engine cimport request_cancel, set_deadline
from titan_execution.core.intents cimport intents_find_order
from titan_execution.core.records cimport *
from titan_execution.core.reports cimport (
    emit_order, emit_request, emit_venue, report_begin, report_emit, request_about,
    stages_have_room,
)
from titan_execution.core.shadow cimport (
    ACT_RECORD, EVENT_ACK, EVENT_AMBIGUOUS, EVENT_CANCELED, EVENT_EXPIRED, EVENT_NOT_PLACED,
    EVENT_REJECT, is_terminal, shadow_apply, symbol_of,
)
from titan_execution.core.state cimport (
    FLAG_CANCEL_WANTED, FLAG_RECOVERED, FLAG_VERIFY, LINK_DOWN, LINK_UP, NO_SLOT,
    PLANT_RESEND_AT_RECOVERY, QUERIES_IN_FLIGHT, SWEEP_IDLE, SWEEP_OPEN, SWEEP_ORDERS,
    SWEEP_POSITIONS, Engine, Query, Slot, SymbolState, view_of,
)
from titan_execution.core.vocabulary cimport *


cdef enum:
    QUERY_TIMEOUT_NS = 500000000
    QUERY_BACK_OFF_NS = 10000000       # doubled at each failure, eight times at most
    SWEEP_PERIOD_NS = 500000000
    SWEEP_SOON_NS = 50000000           # after an answer that needs a second look
    SWEEP_TIMEOUT_NS = 1000000000
    EXTERNAL_RECORDS_MAX = 64          # EXTERNAL records of one reconciliation


# ---- questions about one order ------------------------------------------------------------------

cdef void _ask_later(Engine *engine, uint32_t at) noexcept nogil:
    """After a failed, lost or partial answer."""
    cdef Slot *slot = &engine.slots[at]
    if slot.queries < 8:
        slot.queries += 1
    if slot.open_at >= 0:
        set_deadline(engine, slot, engine.boottime_ns + (<int64_t>QUERY_BACK_OFF_NS << slot.queries))


cdef void _ask(Engine *engine, uint32_t at, int verb) noexcept nogil:
    """One question, if there is room for it; else soon."""
    cdef Slot *slot = &engine.slots[at]
    cdef Query *query
    cdef uint64_t request_id
    if engine.link != LINK_UP:
        slot.deadline_ns = 0           # on_link_up asks about everything
        return
    if engine.n_queries >= QUERIES_IN_FLIGHT or not stages_have_room(engine):
        set_deadline(engine, slot, engine.boottime_ns + 1000000)
        return
    request_id = request_about(engine, verb, at)
    query = &engine.queries[engine.n_queries]
    engine.n_queries += 1
    query.request_id = request_id
    query.sent_ns = engine.boottime_ns
    query.slot = at
    query.verb = verb
    slot.query_id = request_id
    slot.query_sent_ns = engine.boottime_ns
    slot.deadline_ns = 0


cdef int _query_find(const Engine *engine, uint64_t request_id) noexcept nogil:
    cdef int i
    for i in range(engine.n_queries):
        if engine.queries[i].request_id == request_id:
            return i
    return -1


cdef uint32_t _query_done(Engine *engine, int i) noexcept nogil:
    """Forgets a question; answers the slot it was about."""
    cdef uint32_t at = engine.queries[i].slot
    engine.n_queries -= 1
    engine.queries[i] = engine.queries[engine.n_queries]
    engine.slots[at].query_id = 0
    return at


cdef void resolve_ask(Engine *engine, uint32_t at) noexcept nogil:
    """Something about the order is doubtful: ask."""
    if engine.slots[at].query_id == 0 and engine.slots[at].open_at >= 0:
        set_deadline(engine, &engine.slots[at], engine.boottime_ns)


cdef void make_unknown(Engine *engine, uint32_t at, bint restated) noexcept nogil:
    """The outcome of the send is not known; exposure stays, the venue is asked."""
    if shadow_apply(engine, at, EVENT_AMBIGUOUS) & ACT_RECORD:
        emit_order(engine, RECORD_KIND_UNKNOWN, EXEC_TYPE_PENDING_NEW, at, restated)
    resolve_ask(engine, at)


cdef void resolve_due(Engine *engine, uint32_t at) noexcept nogil:
    """A deadline of the slot passed."""
    cdef Slot *slot = &engine.slots[at]
    if slot.query_id:
        return
    if slot.ord_status == ORD_STATUS_PENDING_NEW:
        make_unknown(engine, at, False)
        slot.deadline_ns = 0
    _ask(engine, at, VERB_QUERY_ORDER)


# ---- evidence -----------------------------------------------------------------------------------

cdef int64_t _fence_ns(const Engine *engine, const Slot *slot) noexcept nogil:
    """After this time a request signed at sent_ns can no longer surface at the venue."""
    cdef int64_t sent = slot.sent_ns if slot.sent_ns < engine.boottime_ns else engine.boottime_ns
    return sent + engine.policy.fence_ns


cdef void _not_found(Engine *engine, uint32_t at, int64_t asked_ns) noexcept nogil:
    """NOT_FOUND counts when asked after the fence, and twice, a visibility lag apart."""
    cdef Slot *slot = &engine.slots[at]
    if slot.ord_status != ORD_STATUS_UNKNOWN:
        _ask_later(engine, at)
        return
    if asked_ns < _fence_ns(engine, slot):
        slot.not_found_ns = 0
        set_deadline(engine, slot, _fence_ns(engine, slot))
        return
    emit_order(engine, RECORD_KIND_QUERY_EVIDENCE, EXEC_TYPE_ORDER_STATUS, at, True)
    if slot.not_found_ns == 0:
        slot.not_found_ns = engine.boottime_ns
        set_deadline(engine, slot, engine.boottime_ns + engine.policy.visibility_lag_ns)
    elif asked_ns >= slot.not_found_ns + engine.policy.visibility_lag_ns:
        shadow_apply(engine, at, EVENT_NOT_PLACED)
        emit_order(engine, RECORD_KIND_NOT_PLACED, EXEC_TYPE_RESTATED, at, True)
    else:
        set_deadline(engine, slot, slot.not_found_ns + engine.policy.visibility_lag_ns)


cdef void _found(Engine *engine, uint32_t at, int status, const VenueEvent *event) noexcept nogil:
    """The venue's state, with every fill behind it applied."""
    cdef Slot *slot = &engine.slots[at]
    cdef bint open = status in (ORD_STATUS_NEW, ORD_STATUS_PARTIALLY_FILLED)
    if open and shadow_apply(engine, at, EVENT_ACK) & ACT_RECORD:
        emit_venue(engine, RECORD_KIND_VENUE_ACK, EXEC_TYPE_RESTATED, at, event, True)
    elif status == ORD_STATUS_CANCELED and shadow_apply(engine, at, EVENT_CANCELED) & ACT_RECORD:
        emit_venue(engine, RECORD_KIND_CANCELED, EXEC_TYPE_CANCELED, at, event, True)
    elif status == ORD_STATUS_EXPIRED and shadow_apply(engine, at, EVENT_EXPIRED) & ACT_RECORD:
        emit_venue(engine, RECORD_KIND_CANCELED, EXEC_TYPE_EXPIRED, at, event, True)
    elif status == ORD_STATUS_REJECTED and shadow_apply(engine, at, EVENT_REJECT) & ACT_RECORD:
        emit_venue(engine, RECORD_KIND_VENUE_REJECT, EXEC_TYPE_REJECTED, at, event, True)
    if open and slot.cancel_lsn and slot.open_at >= 0:
        if slot.ord_status == ORD_STATUS_PENDING_CANCEL:
            # A cancel may be sent as often as it takes; an order never.
            request_about(engine, VERB_CANCEL, at)
            set_deadline(engine, slot, engine.boottime_ns + QUERY_TIMEOUT_NS)
        elif not slot.flags & FLAG_CANCEL_WANTED:
            slot.flags |= FLAG_CANCEL_WANTED
            engine.n_cancel_wanted += 1


cdef void on_order_state(Engine *engine, const VenueEvent *event) noexcept nogil:
    cdef uint32_t at = intents_find_order(engine, event.client_order_id)
    cdef int asked = _query_find(engine, event.request_id)
    cdef int64_t asked_ns
    cdef Slot *slot
    if asked < 0:
        if event.request_id == engine.sweep_request_id and engine.sweep == SWEEP_OPEN:
            _listed(engine, at, event)
        return
    asked_ns = engine.queries[asked].sent_ns
    if at == NO_SLOT or engine.queries[asked].slot != at:
        return
    _query_done(engine, asked)
    slot = &engine.slots[at]
    slot.queries = 0
    if slot.flags & FLAG_VERIFY:
        slot.flags &= ~FLAG_VERIFY
        engine.n_verify -= 1
    if not event.found:
        _not_found(engine, at, asked_ns)
        return
    if event.venue_order_id.size <= 36:
        memcpy(&slot.venue_order_id[0], event.venue_order_id.at, event.venue_order_id.size)
    slot.not_found_ns = 0
    if event.cum_qty_lots > slot.cum_lots:
        slot.found_status = <uint8_t>event.ord_status
        slot.found_cum_lots = event.cum_qty_lots
        _ask(engine, at, VERB_QUERY_TRADES)
    elif event.cum_qty_lots < slot.cum_lots and not is_terminal(slot.ord_status):
        _ask_later(engine, at)         # an older picture than ours
    else:
        _found(engine, at, event.ord_status, event)


cdef void _trades_told(Engine *engine, uint32_t at) noexcept nogil:
    """All fills of the order were told; the state they belong to may follow."""
    cdef Slot *slot = &engine.slots[at]
    cdef VenueEvent event
    if is_terminal(slot.ord_status):
        return
    if slot.cum_lots < slot.found_cum_lots:
        _ask_later(engine, at)
        return
    memset(&event, 0, sizeof(VenueEvent))
    _found(engine, at, slot.found_status, &event)


cdef void on_query_end(Engine *engine, const VenueEvent *event) noexcept nogil:
    """End of an answer, or the failure of one."""
    cdef int asked = _query_find(engine, event.request_id)
    cdef int verb
    cdef uint32_t at
    if asked < 0:
        if event.request_id == engine.sweep_request_id and engine.sweep_request_id != 0:
            _sweep_answered(engine, event.complete)
        return
    verb = engine.queries[asked].verb
    at = _query_done(engine, asked)
    if verb == VERB_QUERY_TRADES and event.complete:
        _trades_told(engine, at)
    else:
        _ask_later(engine, at)


# ---- reconciliation and sweeps ------------------------------------------------------------------

cdef void _listed(Engine *engine, uint32_t at, const VenueEvent *event) noexcept nogil:
    """One open order as the venue lists it: ours, forgotten or foreign."""
    cdef Report report
    engine.sweep_count += 1
    if at == NO_SLOT:
        if engine.reconciled or engine.sweep_count > EXTERNAL_RECORDS_MAX:
            return
        engine.counters.external_orders += 1
        report_begin(engine, &report, RECORD_KIND_EXTERNAL)
        report.symbol = event.symbol
        report.client_order_id = event.client_order_id
        report.venue_order_id = event.venue_order_id
        report.ord_status = event.ord_status
        report.side = event.side
        report.order_qty_lots = event.qty_lots
        report.price_ticks = event.price_ticks
        report.cum_qty_lots = event.cum_qty_lots
        report.leaves_qty_lots = event.leaves_qty_lots
        report.restated = 1
        report_emit(engine, &report)
    elif engine.slots[at].ord_status in (ORD_STATUS_NOT_PLACED, ORD_STATUS_REJECTED):
        # The record had closed it, the venue works it: its bounds are wrong. Adopt and cancel.
        engine.counters.orphans += 1
        shadow_apply(engine, at, EVENT_ACK)
        emit_venue(engine, RECORD_KIND_ADOPTED, EXEC_TYPE_RESTATED, at, event, True)
        request_cancel(engine, at)


cdef bint _quiet(const Engine *engine) noexcept nogil:
    """Nothing is on its way to or from the venue that could change a position unseen."""
    cdef int32_t i
    cdef int status
    for i in range(engine.n_open):
        status = engine.slots[engine.open[i].slot].ord_status
        if status in (ORD_STATUS_PENDING_NEW, ORD_STATUS_UNKNOWN, ORD_STATUS_PENDING_CANCEL):
            return False
    return True


cdef void _sweep_ask(Engine *engine, int stage) noexcept nogil:
    cdef VenueRequest request
    cdef int32_t i
    memset(&request, 0, sizeof(VenueRequest))
    request.verb = VERB_QUERY_OPEN_ORDERS if stage == SWEEP_OPEN else VERB_QUERY_POSITIONS
    engine.sweep = stage
    engine.sweep_deadline_ns = engine.boottime_ns + SWEEP_TIMEOUT_NS
    engine.sweep_request_id = engine.next_request_id
    if stage == SWEEP_OPEN:
        # Open orders and positions are one picture: nothing may happen from the first question on.
        engine.sweep_count = 0
        engine.sweep_quiet = _quiet(engine)
        engine.sweep_events = engine.order_events
        for i in range(engine.n_symbols):
            engine.symbols[i].seen_in_sweep = 0
            engine.symbols[i].venue_comparable = 0
    emit_request(engine, &request)


cdef void on_position(Engine *engine, const VenueEvent *event) noexcept nogil:
    cdef int32_t at = symbol_of(engine, event.symbol)
    if event.request_id != engine.sweep_request_id or engine.sweep != SWEEP_POSITIONS or at < 0:
        return
    engine.symbols[at].venue_position_lots = event.position_lots
    engine.symbols[at].seen_in_sweep = 1


cdef bint positions_comparable(const Engine *engine, int32_t at) noexcept nogil:
    """The venue's newest answer still speaks of the record as it is now."""
    return (engine.symbols[at].venue_comparable and engine.sweep_events == engine.order_events
            and _quiet(engine))


cdef bint _positions_agree(Engine *engine) noexcept nogil:
    """Compares when comparable; the same difference twice halts."""
    cdef bint comparable = (engine.sweep_quiet and _quiet(engine)
                            and engine.sweep_events == engine.order_events)
    cdef bint agree = True
    cdef int64_t difference
    cdef SymbolState *symbol
    cdef int32_t i
    for i in range(engine.n_symbols):
        symbol = &engine.symbols[i]
        if not symbol.seen_in_sweep:
            symbol.venue_position_lots = 0
        symbol.venue_position_ns = engine.boottime_ns
        symbol.venue_comparable = comparable
        if not comparable:
            continue
        difference = symbol.venue_position_lots - symbol.position_lots
        if difference != 0:
            agree = False
            if difference == symbol.mismatch_lots and not engine.halted:
                engine.wants_halt = BREAKER_CAUSE_MISMATCH
        symbol.mismatch_lots = difference
    return agree


cdef void _sweep_answered(Engine *engine, bint complete) noexcept nogil:
    if not complete:
        engine.sweep = SWEEP_IDLE      # evidence of nothing: ask again
        engine.sweep_due_ns = engine.boottime_ns + SWEEP_SOON_NS
        engine.sweep_request_id = 0
        return
    if engine.sweep == SWEEP_OPEN:
        engine.venue_open_orders = <int32_t>engine.sweep_count
        _sweep_ask(engine, SWEEP_POSITIONS)
        return
    engine.sweep = SWEEP_IDLE
    engine.sweep_request_id = 0
    if _positions_agree(engine):
        engine.reconciled = 1
        engine.sweep_due_ns = engine.boottime_ns + SWEEP_PERIOD_NS
    else:
        engine.reconciled = 0
        engine.sweep_due_ns = engine.boottime_ns + SWEEP_SOON_NS


cdef void sweep_tick(Engine *engine) noexcept nogil:
    """Lost questions, then the next sweep."""
    cdef int i = engine.n_queries
    while i > 0:
        i -= 1
        if engine.boottime_ns - engine.queries[i].sent_ns > QUERY_TIMEOUT_NS:
            _ask_later(engine, _query_done(engine, i))
    if engine.link != LINK_UP or not stages_have_room(engine):
        return
    if engine.sweep == SWEEP_ORDERS:
        if engine.n_verify == 0:
            _sweep_ask(engine, SWEEP_OPEN)
    elif engine.sweep == SWEEP_IDLE:
        if engine.boottime_ns >= engine.sweep_due_ns:
            _sweep_ask(engine, SWEEP_OPEN)
    elif engine.boottime_ns > engine.sweep_deadline_ns:
        engine.sweep = SWEEP_IDLE
        engine.sweep_request_id = 0
        engine.sweep_due_ns = engine.boottime_ns


cdef void on_link_up(Engine *engine) noexcept nogil:
    """After each logon everything that is not over is asked about, before new risk is allowed."""
    cdef int32_t i
    cdef uint32_t at
    cdef Slot *slot
    engine.link = LINK_UP
    engine.reconciled = 0
    engine.sweep = SWEEP_ORDERS
    for i in range(engine.n_open):
        at = engine.open[i].slot
        slot = &engine.slots[at]
        if not slot.confirmed_lsn:
            continue
        if not slot.flags & FLAG_VERIFY:
            slot.flags |= FLAG_VERIFY
            engine.n_verify += 1
        slot.queries = 0
        set_deadline(engine, slot, engine.boottime_ns)
        if engine.plant == PLANT_RESEND_AT_RECOVERY and slot.flags & FLAG_RECOVERED:
            request_about(engine, VERB_SUBMIT, at)


cdef void on_link_down(Engine *engine) noexcept nogil:
    """Unanswered sends become UNKNOWN; what was not sent yet is forgotten with them."""
    cdef int32_t i
    cdef uint32_t at
    engine.link = LINK_DOWN
    engine.reconciled = 0
    engine.sweep = SWEEP_IDLE
    engine.sweep_request_id = 0
    engine.venue_out.size = 0
    while engine.n_queries:
        _query_done(engine, engine.n_queries - 1)
    for i in range(engine.n_open):
        at = engine.open[i].slot
        if engine.slots[at].ord_status == ORD_STATUS_PENDING_NEW and engine.slots[at].confirmed_lsn:
            make_unknown(engine, at, False)
