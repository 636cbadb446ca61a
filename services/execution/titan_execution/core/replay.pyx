# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Replay: the journal applied record by record through the same shadow functions as live events.

Owns the meaning of a record for the tables and what a crash leaves open. Must never write a record
of its own before the new epoch's first one, and never decide anything again.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

from titan_execution.core.codec cimport codec_intent, codec_report
from titan_execution.core.engine cimport request_cancel, set_deadline
from titan_execution.core.intents cimport (
    intents_bind_order, intents_describe, intents_find_order, intents_take,
)
from titan_execution.core.records cimport *
from titan_execution.core.resolve cimport make_unknown
from titan_execution.core.shadow cimport (
    EVENT_ACK, EVENT_AMBIGUOUS, EVENT_CANCEL_REJECT, EVENT_CANCEL_SENT, EVENT_CANCELED,
    EVENT_EXPIRED, EVENT_NOT_PLACED, EVENT_REJECT, is_terminal, phase_of, shadow_apply,
    shadow_fill, shadow_reserve, shadow_roll_day, shadow_trade_key, symbol_of,
)
from titan_execution.core.state cimport (
    FLAG_CANCEL_WANTED, FLAG_RECOVERED, FLAG_REDUCE_ONLY, NO_SLOT, Engine, Slot, engine_at,
)
from titan_execution.core.vocabulary cimport *


cdef int _confirmed(Engine *engine, const Report *report) noexcept nogil:
    cdef Intent intent
    cdef Rejection why
    cdef int32_t symbol, phase
    cdef uint32_t at
    cdef Slot *slot
    if codec_intent(report.intent, &intent, &why) or report.intent_digest.size != HASH_BYTES:
        return REPLAY_UNREADABLE
    symbol = symbol_of(engine, intent.symbol)
    phase = phase_of(engine, intent.phase_id)
    if symbol < 0 or phase < 0:
        return REPLAY_SYMBOL
    at = intents_take(engine, &intent.intent_id[0])
    if at == NO_SLOT:
        return REPLAY_FULL
    slot = &engine.slots[at]
    memcpy(&intent.digest[0], report.intent_digest.at, HASH_BYTES)
    intents_describe(engine, at, &intent, symbol, phase)
    slot.prepare_expires_ns = report.prepared_boottime_ns + engine.policy.prepare_ttl_ns
    slot.sent_ns = report.recorded_boottime_ns
    slot.confirmed_lsn = report.lsn
    slot.last_lsn = report.lsn
    slot.intent_state = INTENT_STATE_SENDING
    slot.ord_status = ORD_STATUS_PENDING_NEW
    intents_bind_order(engine, at)
    shadow_reserve(engine, at)
    return REPLAY_OK


cdef void _order_record(Engine *engine, uint32_t at, const Report *report) noexcept nogil:
    cdef Slot *slot = &engine.slots[at]
    slot.last_lsn = report.lsn
    if 0 < report.venue_order_id.size <= 36:
        memcpy(&slot.venue_order_id[0], report.venue_order_id.at, report.venue_order_id.size)
    if report.kind == RECORD_KIND_VENUE_ACK or report.kind == RECORD_KIND_ADOPTED:
        shadow_apply(engine, at, EVENT_ACK)
    elif report.kind == RECORD_KIND_FILL:
        shadow_trade_key(engine, slot.symbol, report.trade_id)
        shadow_fill(engine, at, report.last_qty_lots, report.last_price_ticks, report.fee_nanos)
    elif report.kind == RECORD_KIND_CANCELED:
        shadow_apply(engine, at, EVENT_EXPIRED if report.exec_type == EXEC_TYPE_EXPIRED
                     else EVENT_CANCELED)
    elif report.kind == RECORD_KIND_VENUE_REJECT:
        shadow_apply(engine, at, EVENT_REJECT)
    elif report.kind == RECORD_KIND_UNKNOWN:
        shadow_apply(engine, at, EVENT_AMBIGUOUS)
    elif report.kind == RECORD_KIND_NOT_PLACED:
        shadow_apply(engine, at, EVENT_NOT_PLACED)
    elif report.kind == RECORD_KIND_CANCEL_REQUEST:
        if slot.cancel_lsn == 0:
            slot.cancel_lsn = report.lsn
        if report.ord_status == ORD_STATUS_PENDING_CANCEL:
            shadow_apply(engine, at, EVENT_CANCEL_SENT)
    elif report.kind == RECORD_KIND_CANCEL_REJECT:
        slot.cancel_lsn = 0
        shadow_apply(engine, at, EVENT_CANCEL_REJECT)


cdef void _state_record(Engine *engine, const Report *report) noexcept nogil:
    engine.edge_state = report.state
    engine.edge_cause = report.cause
    if report.kind == RECORD_KIND_HALT:
        engine.halted = 1
        engine.halt_epoch = report.halt_epoch
        engine.halt_lsn = report.lsn
        engine.halt_cause = report.cause
    elif report.kind == RECORD_KIND_RESUME:
        engine.halted = 0


cdef bint _about_the_edge(int kind) noexcept nogil:
    return kind in (RECORD_KIND_EPOCH, RECORD_KIND_HALT, RECORD_KIND_RESUME,
                    RECORD_KIND_TRADING_STATE)


cdef int replay_record(Engine *engine, const uint8_t *body, int32_t size) noexcept nogil:
    """Applies one record; anything but REPLAY_OK stops the start."""
    cdef Report report
    cdef uint32_t at
    if codec_report(body, size, &report):
        return REPLAY_UNREADABLE
    if report.lsn != engine.next_lsn:
        return REPLAY_OUT_OF_ORDER
    if (report.account.size != engine.account_size
            or memcmp(report.account.at, &engine.account[0], engine.account_size) != 0):
        return REPLAY_FOREIGN
    engine.next_lsn += 1
    engine.epoch = report.epoch
    engine_at(engine, report.recorded_boottime_ns, report.recorded_at_ns)
    shadow_roll_day(engine, report.recorded_at_ns)
    if report.brain_epoch > engine.lease.brain_epoch:
        engine.lease.brain_epoch = report.brain_epoch
    if _about_the_edge(report.kind):
        _state_record(engine, &report)
        return REPLAY_OK
    if report.kind == RECORD_KIND_CONFIRMED:
        return _confirmed(engine, &report)
    if report.kind == RECORD_KIND_EXTERNAL or report.kind == RECORD_KIND_POLICY:
        return REPLAY_OK
    if report.kind < RECORD_KIND_EPOCH or report.kind > RECORD_KIND_TRADING_STATE:
        return REPLAY_KIND
    at = intents_find_order(engine, report.client_order_id)
    if at == NO_SLOT:
        return REPLAY_UNKNOWN_ORDER
    _order_record(engine, at, &report)
    return REPLAY_OK


cdef void replay_finish(Engine *engine) noexcept nogil:
    """What the crash left open: sends without an answer are UNKNOWN, cancels are wanted again."""
    cdef int32_t i
    cdef uint32_t at
    cdef Slot *slot
    for i in range(engine.n_open):
        at = engine.open[i].slot
        slot = &engine.slots[at]
        if slot.ord_status == ORD_STATUS_PENDING_NEW:
            make_unknown(engine, at, True)
        if slot.ord_status == ORD_STATUS_UNKNOWN and not slot.flags & FLAG_RECOVERED:
            slot.flags |= FLAG_RECOVERED
            engine.symbols[slot.symbol].recovering += 1
        if is_terminal(slot.ord_status) or slot.ord_status == ORD_STATUS_PENDING_CANCEL:
            continue
        if slot.cancel_lsn and not slot.flags & FLAG_CANCEL_WANTED:
            slot.flags |= FLAG_CANCEL_WANTED
            engine.n_cancel_wanted += 1
        elif engine.halted and not slot.cancel_lsn and not slot.flags & FLAG_REDUCE_ONLY:
            request_cancel(engine, at)
