# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What leaves a step, staged in order: the loop journals, commits and sends, the probe reads.

Owns the filling of records and requests from the tables. Must never know files or sockets.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen

from titan_execution.core.codec cimport encode_report_to, encode_verdict_to
from titan_execution.core.policy cimport Gate
from titan_execution.core.records cimport *
from titan_execution.core.state cimport (
    FLAG_REDUCE_ONLY, Engine, PhaseState, Slot, Stage, SymbolState, view_of,
)
from titan_execution.core.venue_codec cimport encode_request_to
from titan_execution.core.vocabulary cimport *


cdef bint stages_have_room(const Engine *engine) noexcept nogil:
    """Room for whatever one verb may stage."""
    return (engine.records.limit - engine.records.size >= 4 * RECORD_ROOM
            and engine.venue_out.size < engine.venue_out.limit // 2)


cdef void report_begin(Engine *engine, Report *report, int kind) noexcept nogil:
    """An empty report with what every record carries."""
    memset(report, 0, sizeof(Report) - sizeof(report.scratch))
    report.kind = kind
    report.epoch = engine.epoch
    report.account = view_of(&engine.account[0], engine.account_size)
    report.policy_hash = view_of(&engine.policy.hash[0], HASH_BYTES)
    report.recorded_at_ns = engine.unix_ns
    report.recorded_boottime_ns = engine.boottime_ns


cdef void report_order(Engine *engine, Report *report, int kind, int exec_type,
                       uint32_t at) noexcept nogil:
    """A report about one order as it stands now."""
    cdef Slot *slot = &engine.slots[at]
    cdef SymbolState *symbol = &engine.symbols[slot.symbol]
    cdef PhaseState *phase = &engine.phases[slot.phase]
    report_begin(engine, report, kind)
    report.intent_id = view_of(&slot.intent_id[0], ID_BYTES)
    report.phase_id = view_of(&phase.phase_id[0], phase.phase_size)
    report.symbol = view_of(&symbol.symbol[0], symbol.symbol_size)
    report.client_order_id = view_of(&slot.client_order_id[0],
                                     <int32_t>strlen(&slot.client_order_id[0]))
    report.venue_order_id = view_of(&slot.venue_order_id[0],
                                    <int32_t>strlen(&slot.venue_order_id[0]))
    report.exec_type = exec_type
    report.ord_status = slot.ord_status
    report.side = slot.side
    report.order_qty_lots = slot.qty_lots
    report.price_ticks = slot.price_ticks
    report.cum_qty_lots = slot.cum_lots
    report.leaves_qty_lots = slot.leaves_lots


cdef uint64_t report_emit(Engine *engine, Report *report) noexcept nogil:
    """Stages the record under the next LSN; 0 only when staging is full, which callers rule out."""
    cdef Stage *stage = &engine.records
    cdef uint8_t *at = stage.bytes + stage.size
    cdef int64_t size
    cdef uint32_t body
    cdef uint64_t lsn = engine.next_lsn
    report.lsn = lsn
    size = encode_report_to(report, at + RECORD_PREFIX,
                            stage.limit - stage.size - RECORD_PREFIX)
    if size < 0:
        return 0
    body = <uint32_t>size
    memcpy(at, &body, 4)
    at[4] = <uint8_t>report.kind
    memcpy(at + 5, &lsn, 8)
    stage.size += RECORD_PREFIX + size
    engine.next_lsn += 1
    return lsn


cdef uint64_t emit_order(Engine *engine, int kind, int exec_type, uint32_t at,
                         bint restated) noexcept nogil:
    cdef Report report
    report_order(engine, &report, kind, exec_type, at)
    report.restated = restated
    engine.slots[at].last_lsn = engine.next_lsn
    return report_emit(engine, &report)


cdef uint64_t emit_venue(Engine *engine, int kind, int exec_type, uint32_t at,
                         const VenueEvent *event, bint restated) noexcept nogil:
    """A record of what the venue said about an order."""
    cdef Report report
    report_order(engine, &report, kind, exec_type, at)
    report.restated = restated
    report.venue_time_ns = event.venue_time_ns
    report.venue_code = event.code
    report.text = event.text
    if kind == RECORD_KIND_FILL:
        report.last_qty_lots = event.qty_lots
        report.last_price_ticks = event.price_ticks
        report.fee_nanos = event.fee_nanos
        report.liquidity = event.liquidity
        report.trade_id = event.trade_id
        report.position_lots = engine.symbols[engine.slots[at].symbol].position_lots
    engine.slots[at].last_lsn = engine.next_lsn
    return report_emit(engine, &report)


cdef uint64_t emit_state(Engine *engine, int kind, int state, int cause, View text,
                         View operator_id) noexcept nogil:
    """A record about the edge as a whole: EPOCH, HALT, RESUME, TRADING_STATE."""
    cdef Report report
    report_begin(engine, &report, kind)
    report.state = state
    report.cause = cause
    report.halt_epoch = engine.halt_epoch
    report.text = text
    report.operator_id = operator_id
    report.brain_epoch = engine.lease.brain_epoch
    report.lease_sequence = engine.lease.sequence
    return report_emit(engine, &report)


cdef bint emit_request(Engine *engine, VenueRequest *request) noexcept nogil:
    """Stages one venue request behind its length; False: no room."""
    cdef Stage *stage = &engine.venue_out
    cdef uint32_t size
    cdef int64_t n
    request.request_id = engine.next_request_id
    n = encode_request_to(request, stage.bytes + stage.size + 4, stage.limit - stage.size - 4)
    if n < 0:
        return False
    size = <uint32_t>n
    memcpy(stage.bytes + stage.size, &size, 4)
    stage.size += 4 + n
    engine.next_request_id += 1
    return True


cdef uint64_t request_about(Engine *engine, int verb, uint32_t at) noexcept nogil:
    """Stages a request that names one order; answers its request id, 0 = no room."""
    cdef Slot *slot = &engine.slots[at]
    cdef SymbolState *symbol = &engine.symbols[slot.symbol]
    cdef VenueRequest request
    cdef uint64_t request_id = engine.next_request_id
    memset(&request, 0, sizeof(VenueRequest))
    request.verb = verb
    request.client_order_id = view_of(&slot.client_order_id[0],
                                      <int32_t>strlen(&slot.client_order_id[0]))
    if verb == VERB_SUBMIT:
        request.symbol = view_of(&symbol.symbol[0], symbol.symbol_size)
        request.side = slot.side
        request.order_type = slot.order_type
        request.time_in_force = slot.time_in_force
        request.qty_lots = slot.qty_lots
        request.price_ticks = slot.price_ticks
        request.reduce_only = (slot.flags & FLAG_REDUCE_ONLY) != 0
        request.signed_boottime_ns = engine.boottime_ns
        request.expires_boottime_ns = engine.boottime_ns + engine.policy.request_expiry_ns
    return request_id if emit_request(engine, &request) else 0


cdef void emit_verdict(Engine *engine, const Intent *intent, const Gate *gate,
                       int64_t latency_ns) noexcept nogil:
    """Stages what the gate found; telemetry: dropped and counted when there is no room."""
    cdef Verdict verdict
    cdef Stage *stage = &engine.verdicts
    cdef uint32_t size
    cdef int64_t n
    engine.counters.verdicts += 1
    verdict.intent = intent
    verdict.checks = &gate.checks
    verdict.rejection = &gate.rejection if gate.rejection.reason else NULL
    verdict.sequence = engine.counters.verdicts
    verdict.dropped_before = engine.counters.verdicts_dropped
    verdict.epoch = engine.epoch
    verdict.decided_at_ns = engine.unix_ns
    verdict.gate_latency_ns = latency_ns
    n = encode_verdict_to(&verdict, view_of(&engine.account[0], engine.account_size),
                          &engine.policy.hash[0], stage.bytes + stage.size + 4,
                          stage.limit - stage.size - 4)
    if n < 0:
        engine.counters.verdicts_dropped += 1
        return
    size = <uint32_t>n
    memcpy(stage.bytes + stage.size, &size, 4)
    stage.size += 4 + n
