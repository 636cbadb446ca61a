# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The verbs: each a straight recipe, gate -> mutate -> record -> answer.

Owns what a request does to an intent. Idempotent by intent id, bound to no connection. Must never
know frames, sockets or clocks. Sans-I/O: the same inputs give the same outputs and the same hash.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from titan_execution.core.codec cimport codec_intent
from titan_execution.core.intents cimport (
    intents_bind_order, intents_describe, intents_find, intents_full, intents_lapse,
    intents_revive, intents_take, reservation_free, reservation_take,
)
from titan_execution.core.mac cimport sha256
from titan_execution.core.policy cimport (
    Gate, gate_confirm, gate_deny, gate_note_refusal, gate_open, gate_prepare, gate_reserved,
    order_key, rate_has, rate_take, trading_state,
)
from titan_execution.core.records cimport *
from titan_execution.core.reports cimport (
    emit_order, emit_verdict, report_emit, report_order, request_about, stages_have_room,
)
from titan_execution.core.shadow cimport (
    EVENT_CANCEL_SENT, is_terminal, shadow_apply, shadow_release, shadow_reserve, symbol_of,
)
from titan_execution.core.state cimport (
    FLAG_CANCEL_WANTED, FLAG_LAPSED, INTENT_BYTES_MAX, LINK_UP, NO_SLOT,
    OPEN_MAX, PREPARED_MAX, Engine, Reservation, Slot, view_of,
)
from titan_execution.core.vocabulary cimport *

cdef extern from "string.h" nogil:
    size_t strnlen(const char *text, size_t limit)


cdef enum:
    OPEN_SPARE = 256
    ANSWER_GRACE_NS = 1000000000       # beyond the fence before a silent venue makes UNKNOWN


cdef void set_deadline(Engine *engine, Slot *slot, int64_t at_ns) noexcept nogil:
    """The timer has to look at the slot at that time."""
    slot.deadline_ns = at_ns
    if at_ns < engine.next_due_ns or engine.next_due_ns == 0:
        engine.next_due_ns = at_ns


cdef void answer_refused(Answer *answer, const uint8_t *intent_id, int reason, int64_t value,
                         int64_t limit, const char *field) noexcept nogil:
    memset(answer, 0, sizeof(Answer))
    answer.frame_type = FRAME_TYPE_REFUSED
    if intent_id != NULL:
        memcpy(&answer.intent_id[0], intent_id, ID_BYTES)
        answer.has_id = 1
    answer.rejection.reason = reason
    answer.rejection.value = value
    answer.rejection.limit = limit
    memcpy(&answer.rejection.field[0], field, strnlen(field, FIELD_BYTES - 1))


cdef void _answer(Answer *answer, int frame_type, const Slot *slot) noexcept nogil:
    memset(answer, 0, sizeof(Answer))
    answer.frame_type = frame_type
    memcpy(&answer.intent_id[0], &slot.intent_id[0], ID_BYTES)
    answer.has_id = 1
    answer.token = slot.token
    answer.expires_boottime_ns = slot.prepare_expires_ns
    answer.lsn = slot.confirmed_lsn
    memcpy(&answer.client_order_id[0], &slot.client_order_id[0], 27)


cdef void lapse_reservation(Engine *engine, uint32_t at) noexcept nogil:
    """The reservation ends without an order; nothing of it was promised."""
    cdef Slot *slot = &engine.slots[at]
    shadow_release(engine, at)
    reservation_free(engine, slot)
    slot.intent_state = INTENT_STATE_UNSPECIFIED
    intents_lapse(engine, at)


# ---- PREPARE ------------------------------------------------------------------------------------

cdef bint _room(Engine *engine, uint32_t at, Gate *gate) noexcept nogil:
    """Every bounded table is asked here, at PREPARE, and never after CONFIRM."""
    if engine.n_prepared >= PREPARED_MAX:
        return gate_deny(gate, REJECT_REASON_OVERLOADED, engine.n_prepared, PREPARED_MAX,
                         b"reservations")
    if engine.n_open >= OPEN_MAX - OPEN_SPARE:
        return gate_deny(gate, REJECT_REASON_OVERLOADED, engine.n_open, OPEN_MAX - OPEN_SPARE,
                         b"open_orders")
    if at == NO_SLOT and intents_full(engine):
        return gate_deny(gate, REJECT_REASON_OVERLOADED, engine.n_slots, engine.slots_limit,
                         b"intents")
    if engine.n_trades * 4 >= (engine.trades_mask + 1) * 3:
        return gate_deny(gate, REJECT_REASON_OVERLOADED, <int64_t>engine.n_trades,
                         <int64_t>engine.trades_mask, b"trades")
    if not stages_have_room(engine):
        return gate_deny(gate, REJECT_REASON_OVERLOADED, engine.venue_out.size,
                         engine.venue_out.limit, b"venue_out")
    return True


cdef bint _speaks_for(const View principal, const View phase_id) noexcept nogil:
    """A phase's key speaks for that phase; operators and the bench for any."""
    if principal.size == phase_id.size and memcmp(principal.at, phase_id.at, phase_id.size) == 0:
        return True
    return ((principal.size == 8 and memcmp(principal.at, b"operator", 8) == 0)
            or (principal.size == 5 and memcmp(principal.at, b"bench", 5) == 0))


cdef bint _supersedes(Engine *engine, const Intent *intent, Gate *gate) noexcept nogil:
    """A replacement is allowed only when what it replaces ended without an order."""
    cdef uint32_t at
    cdef int state
    if intent.supersedes.size == 0:
        return True
    at = intents_find(engine, intent.supersedes.at)
    if at == NO_SLOT:
        return True     # never seen or lost before CONFIRM: no order came of it
    state = engine.slots[at].intent_state
    if state in (INTENT_STATE_UNSPECIFIED, INTENT_STATE_NOT_PLACED, INTENT_STATE_REJECTED,
                 INTENT_STATE_EXPIRED, INTENT_STATE_ABORTED):
        return True
    return gate_deny(gate, REJECT_REASON_TOO_LATE, state, INTENT_STATE_NOT_PLACED, b"supersedes")


cdef void _reserve(Engine *engine, uint32_t at, const Intent *intent,
                   const Gate *gate) noexcept nogil:
    cdef Slot *slot = &engine.slots[at]
    cdef Reservation *held
    intents_describe(engine, at, intent, gate.symbol, gate.phase)
    slot.intent_state = INTENT_STATE_PREPARED
    slot.prepare_expires_ns = engine.boottime_ns + engine.policy.prepare_ttl_ns
    slot.reservation = reservation_take(engine)
    held = &engine.reservations[slot.reservation]
    memcpy(&held.raw[0], intent.raw.at, intent.raw.size)
    held.raw_size = intent.raw.size
    held.checks = gate.checks
    held.prepared_ns = engine.boottime_ns
    memcpy(&held.policy_hash[0], &intent.policy_hash[0], HASH_BYTES)
    shadow_reserve(engine, at)
    set_deadline(engine, slot, slot.prepare_expires_ns)
    gate_reserved(engine, at)


cdef bint _seen_before(Engine *engine, uint32_t at, const Intent *intent,
                       Answer *answer) noexcept nogil:
    """Answers a repeat; False: the reservation lapsed, judge it anew."""
    cdef Slot *slot = &engine.slots[at]
    if memcmp(&slot.digest[0], &intent.digest[0], HASH_BYTES) != 0:
        answer_refused(answer, &intent.intent_id[0], REJECT_REASON_INTENT_CONFLICT, 0, 0,
                       b"intent_id")
        return True
    if slot.intent_state == INTENT_STATE_PREPARED and slot.prepare_expires_ns <= engine.boottime_ns:
        lapse_reservation(engine, at)
    if slot.flags & FLAG_LAPSED:
        return False
    _answer(answer, FRAME_TYPE_PREPARED, slot)
    return True


cdef void on_prepare(Engine *engine, View raw, const uint8_t *frame_hash, View principal,
                     Answer *answer) noexcept nogil:
    cdef Intent intent
    cdef Gate gate
    cdef uint32_t at
    cdef int64_t started_ns = engine.stopwatch() if engine.stopwatch != NULL else 0
    gate_open(&gate)
    if codec_intent(raw, &intent, &gate.rejection):
        gate_note_refusal(engine, &gate, 0)
        answer_refused(answer, NULL, gate.rejection.reason, gate.rejection.value,
                       gate.rejection.limit, gate.rejection.field)
        return
    sha256(raw.at, raw.size, &intent.digest[0])
    at = intents_find(engine, &intent.intent_id[0])
    if at != NO_SLOT and _seen_before(engine, at, &intent, answer):
        return
    if raw.size > INTENT_BYTES_MAX:
        gate_deny(&gate, REJECT_REASON_MALFORMED, raw.size, INTENT_BYTES_MAX, b"intent")
    elif not _speaks_for(principal, intent.phase_id):
        gate_deny(&gate, REJECT_REASON_UNKNOWN_PHASE, 0, 0, b"principal")
    elif (gate_prepare(engine, &intent, frame_hash, &gate)
            and _supersedes(engine, &intent, &gate) and _room(engine, at, &gate)):
        if at == NO_SLOT:
            at = intents_take(engine, &intent.intent_id[0])
        else:
            intents_revive(engine, at)
        _reserve(engine, at, &intent, &gate)
        engine.counters.prepared += 1
        _answer(answer, FRAME_TYPE_PREPARED, &engine.slots[at])
    if gate.rejection.reason:
        gate_note_refusal(engine, &gate,
                          order_key(gate.symbol, intent.side, intent.price_ticks, intent.qty_lots))
        answer_refused(answer, &intent.intent_id[0], gate.rejection.reason, gate.rejection.value,
                       gate.rejection.limit, gate.rejection.field)
    emit_verdict(engine, &intent, &gate,
                 engine.stopwatch() - started_ns if engine.stopwatch != NULL else 0)


# ---- CONFIRM ------------------------------------------------------------------------------------

cdef void _accept(Engine *engine, uint32_t at) noexcept nogil:
    """The promise: record, then the order's bytes; both leave only after the commit."""
    cdef Slot *slot = &engine.slots[at]
    cdef Reservation *held = &engine.reservations[slot.reservation]
    cdef Report report
    intents_bind_order(engine, at)
    slot.intent_state = INTENT_STATE_SENDING
    slot.ord_status = ORD_STATUS_PENDING_NEW
    slot.sent_ns = engine.boottime_ns
    report_order(engine, &report, RECORD_KIND_CONFIRMED, EXEC_TYPE_PENDING_NEW, at)
    report.intent = view_of(&held.raw[0], held.raw_size)
    report.intent_digest = view_of(&slot.digest[0], HASH_BYTES)
    report.checks = &held.checks
    report.send_imminent = 1
    report.prepared_boottime_ns = held.prepared_ns
    report.brain_epoch = engine.lease.brain_epoch
    report.lease_sequence = engine.lease.sequence
    slot.confirmed_lsn = report_emit(engine, &report)
    slot.last_lsn = slot.confirmed_lsn
    reservation_free(engine, slot)
    rate_take(engine)
    request_about(engine, VERB_SUBMIT, at)
    set_deadline(engine, slot, engine.boottime_ns + engine.policy.fence_ns + ANSWER_GRACE_NS)
    engine.counters.confirmed += 1


cdef void on_confirm(Engine *engine, const IntentRef *ref, const uint8_t *frame_hash,
                     Answer *answer) noexcept nogil:
    cdef uint32_t at = intents_find(engine, &ref.intent_id[0])
    cdef Slot *slot
    cdef Gate gate
    if at == NO_SLOT:
        answer_refused(answer, &ref.intent_id[0], REJECT_REASON_PREPARE_UNKNOWN, 0, 0,
                       b"intent_id")
        return
    slot = &engine.slots[at]
    if slot.token != ref.token:
        answer_refused(answer, &ref.intent_id[0], REJECT_REASON_PREPARE_UNKNOWN, 0, 0, b"token")
        return
    if slot.confirmed_lsn:
        _answer(answer, FRAME_TYPE_ACCEPTED, slot)
        return
    if slot.intent_state == INTENT_STATE_PREPARED and slot.prepare_expires_ns <= engine.boottime_ns:
        lapse_reservation(engine, at)
    if slot.flags & FLAG_LAPSED:
        answer_refused(answer, &ref.intent_id[0], REJECT_REASON_PREPARE_EXPIRED,
                       engine.boottime_ns, slot.prepare_expires_ns, b"timing.prepare_ttl_ms")
        return
    gate_open(&gate)
    if gate_confirm(engine, at, frame_hash, &gate) and not stages_have_room(engine):
        gate_deny(&gate, REJECT_REASON_VENUE_UNAVAILABLE, engine.venue_out.size,
                  engine.venue_out.limit, b"venue_out")
    if gate.rejection.reason:
        gate_note_refusal(engine, &gate, order_key(slot.symbol, slot.side, slot.price_ticks,
                                                   slot.qty_lots))
        answer_refused(answer, &ref.intent_id[0], gate.rejection.reason, gate.rejection.value,
                       gate.rejection.limit, gate.rejection.field)
        return
    _accept(engine, at)
    _answer(answer, FRAME_TYPE_ACCEPTED, slot)


# ---- ABORT, STATUS, CANCEL, PING ----------------------------------------------------------------

cdef void on_abort(Engine *engine, const IntentRef *ref, Answer *answer) noexcept nogil:
    cdef uint32_t at = intents_find(engine, &ref.intent_id[0])
    cdef Slot *slot
    if at == NO_SLOT:
        answer_refused(answer, &ref.intent_id[0], REJECT_REASON_PREPARE_UNKNOWN, 0, 0,
                       b"intent_id")
        return
    slot = &engine.slots[at]
    if slot.confirmed_lsn:
        answer_refused(answer, &ref.intent_id[0], REJECT_REASON_TOO_LATE, slot.intent_state, 0,
                       b"intent_id")
        return
    if not slot.flags & FLAG_LAPSED:
        lapse_reservation(engine, at)
    _answer(answer, FRAME_TYPE_ABORTED, slot)


cdef void on_status(Engine *engine, const IntentRef *ref, Answer *answer) noexcept nogil:
    cdef uint32_t at = intents_find(engine, &ref.intent_id[0])
    cdef Slot *slot
    if at == NO_SLOT or engine.slots[at].flags & FLAG_LAPSED:
        memset(answer, 0, sizeof(Answer))
        answer.frame_type = FRAME_TYPE_STATUS_REPORT
        memcpy(&answer.intent_id[0], &ref.intent_id[0], ID_BYTES)
        answer.has_id = 1
        return
    slot = &engine.slots[at]
    _answer(answer, FRAME_TYPE_STATUS_REPORT, slot)
    answer.intent_state = slot.intent_state
    answer.cum_qty_lots = slot.cum_lots
    answer.leaves_qty_lots = slot.leaves_lots
    memcpy(&answer.digest[0], &slot.digest[0], HASH_BYTES)
    answer.has_digest = 1


cdef void _send_cancel(Engine *engine, uint32_t at) noexcept nogil:
    rate_take(engine)
    request_about(engine, VERB_CANCEL, at)
    set_deadline(engine, &engine.slots[at],
                 engine.boottime_ns + engine.policy.fence_ns + ANSWER_GRACE_NS)


cdef bint _cancel_can_go(Engine *engine, const Slot *slot) noexcept nogil:
    cdef int64_t used, limit
    return (engine.link == LINK_UP and slot.ord_status != ORD_STATUS_PENDING_NEW
            and slot.ord_status != ORD_STATUS_UNKNOWN and stages_have_room(engine)
            and rate_has(engine, True, &used, &limit))


cdef void request_cancel(Engine *engine, uint32_t at) noexcept nogil:
    """Records the wish; sends it now, or as soon as order, link and rate allow."""
    cdef Slot *slot = &engine.slots[at]
    cdef bint now = _cancel_can_go(engine, slot)
    if now:
        shadow_apply(engine, at, EVENT_CANCEL_SENT)
    elif not slot.flags & FLAG_CANCEL_WANTED:
        slot.flags |= FLAG_CANCEL_WANTED
        engine.n_cancel_wanted += 1
    slot.cancel_lsn = emit_order(engine, RECORD_KIND_CANCEL_REQUEST, EXEC_TYPE_PENDING_CANCEL, at,
                                 False)
    if now:
        _send_cancel(engine, at)


cdef void send_wanted_cancel(Engine *engine, uint32_t at) noexcept nogil:
    """A cancel that had to wait leaves now, if it may."""
    cdef Slot *slot = &engine.slots[at]
    if not slot.flags & FLAG_CANCEL_WANTED or not _cancel_can_go(engine, slot):
        return
    slot.flags &= ~FLAG_CANCEL_WANTED
    engine.n_cancel_wanted -= 1
    shadow_apply(engine, at, EVENT_CANCEL_SENT)
    emit_order(engine, RECORD_KIND_CANCEL_REQUEST, EXEC_TYPE_PENDING_CANCEL, at, False)
    _send_cancel(engine, at)


cdef void on_cancel(Engine *engine, const IntentRef *ref, Answer *answer) noexcept nogil:
    cdef uint32_t at = intents_find(engine, &ref.intent_id[0])
    cdef Slot *slot
    if at == NO_SLOT or not engine.slots[at].confirmed_lsn:
        answer_refused(answer, &ref.intent_id[0], REJECT_REASON_UNKNOWN_ORDER, 0, 0, b"intent_id")
        return
    slot = &engine.slots[at]
    if not slot.cancel_lsn:
        if is_terminal(slot.ord_status):
            answer_refused(answer, &ref.intent_id[0], REJECT_REASON_TOO_LATE, slot.ord_status, 0,
                           b"intent_id")
            return
        request_cancel(engine, at)
    _answer(answer, FRAME_TYPE_CANCEL_ACCEPTED, slot)
    answer.lsn = slot.cancel_lsn


cdef void on_ping(Engine *engine, uint64_t echo, Answer *answer) noexcept nogil:
    memset(answer, 0, sizeof(Answer))
    answer.frame_type = FRAME_TYPE_PONG
    answer.echo = echo
    answer.boottime_ns = engine.boottime_ns
    answer.state = trading_state(engine)
