# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records to wire and back, the mesh's side; with venue_codec the only users of the generated codecs.

Owns the mapping between C records and hot structs, and the answer to bytes that break a rule. Must
never know what a message leads to.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen

from titan.execution.v1.execution_report_hot cimport (
    ExecutionReport, decode_execution_report, encode_execution_report,
)
from titan.execution.v1.prepare_verdict_hot cimport PrepareVerdict, encode_prepare_verdict
from titan.fastpath.v1.frames_hot cimport (
    Abort, Aborted, Accepted, Cancel, CancelAccepted, Challenge, Confirm, HaltAccepted,
    HaltRequest, Hello, Ping, Pong, Prepare, Prepared, Ready, Refused, Status, StatusReport,
    check_abort, check_cancel, check_confirm, check_halt_request, check_hello, check_prepare,
    check_status, decode_abort, decode_cancel, decode_confirm, decode_halt_request, decode_hello,
    decode_ping, decode_prepare, decode_status, encode_aborted, encode_accepted,
    encode_cancel_accepted, encode_challenge, encode_halt_accepted, encode_pong, encode_prepared,
    encode_ready, encode_refused, encode_status_report,
)
from titan.risk.v1.lease_hot cimport RiskLease, check_risk_lease, decode_risk_lease
from titan.trading.v1.intent_hot cimport IntentSignal, check_intent_signal, decode_intent_signal
from titan.trading.v1.reject_reason_hot cimport Rejection as WireRejection
from titan.trading.v1.reject_reason_hot cimport encode_rejection

from titan_execution.core.records cimport *
from titan_execution.core.vocabulary cimport *

assert sizeof(IntentSignal) <= 88 * 8
assert sizeof(RiskLease) <= 120 * 8
assert sizeof(ExecutionReport) <= 260 * 8

ctypedef const char *Name

cdef Name[21] _INTENT_FIELDS = [
    b"intent", b"intent_id", b"policy_hash", b"phase_id", b"account", b"symbol",
    b"instrument_version", b"side", b"order_type", b"time_in_force", b"qty_lots", b"price_ticks",
    b"reduce_only", b"created_at_ns", b"expires_at_boottime_ns", b"supersedes", b"traceparent",
    b"arrival_mid_half_ticks", b"expected_edge_ppm", b"rule", b"inputs",
]

cdef Name[16] _LEASE_FIELDS = [
    b"lease", b"account", b"policy_hash", b"brain_epoch", b"lease_sequence", b"state", b"ttl_ms",
    b"truth_score", b"max_leverage_pct", b"max_gross_notional_nanos", b"budgets", b"applied_lsn",
    b"cause", b"granted_at_ns", b"halt_epoch", b"min_score_open",
]


cdef inline View _view(const uint8_t *at, uint32_t size) noexcept nogil:
    cdef View view
    view.at = at
    view.size = <int32_t>size
    return view


cdef inline void _put(const View view, uint8_t *to, uint32_t *size, uint32_t cap) noexcept nogil:
    size[0] = <uint32_t>view.size if <uint32_t>view.size <= cap else cap
    memcpy(to, view.at, size[0])


cdef int _malformed(Rejection *why, int reason, int64_t value, const char *field) noexcept nogil:
    memset(why, 0, sizeof(Rejection))
    why.reason = reason
    why.value = value
    memcpy(&why.field[0], field, strlen(field))
    return reason


# ---- from the wire ------------------------------------------------------------------------------

cdef int codec_prepare(const uint8_t *data, int32_t size, View *intent) noexcept nogil:
    """The intent's bytes inside a Prepare."""
    cdef Prepare message
    if decode_prepare(data, size, &message) or check_prepare(&message):
        return REJECT_REASON_MALFORMED
    intent[0] = _view(message.intent.data, message.intent.size)
    return 0


cdef int codec_intent(View raw, Intent *out, Rejection *why) noexcept nogil:
    """An intent that keeps every rule of the contract, or the field that breaks one."""
    cdef IntentSignal *wire = <IntentSignal *>&out.scratch[0]
    cdef int32_t field
    cdef int code = decode_intent_signal(raw.at, raw.size, wire)
    if code:
        return _malformed(why, REJECT_REASON_MALFORMED, code, b"intent")
    field = check_intent_signal(wire) % 1000
    if field == 7 and wire.side != 0:
        return _malformed(why, REJECT_REASON_UNKNOWN_ENUM, wire.side, b"side")
    if field == 8 and wire.order_type != 0:
        return _malformed(why, REJECT_REASON_UNKNOWN_ENUM, wire.order_type, b"order_type")
    if field == 9 and wire.time_in_force != 0:
        return _malformed(why, REJECT_REASON_UNKNOWN_ENUM, wire.time_in_force, b"time_in_force")
    if field == 11:
        return _malformed(why, REJECT_REASON_PRICE_INVALID, wire.price_ticks, b"price_ticks")
    if field:
        return _malformed(why, REJECT_REASON_MALFORMED, 0,
                          _INTENT_FIELDS[field if field <= 20 else 0])
    memcpy(&out.intent_id[0], &wire.intent_id[0], 16)
    memcpy(&out.policy_hash[0], &wire.policy_hash[0], 32)
    out.phase_id = _view(&wire.phase_id[0], wire.phase_id_len)
    out.account = _view(&wire.account[0], wire.account_len)
    out.symbol = _view(&wire.symbol[0], wire.symbol_len)
    out.supersedes = _view(&wire.supersedes[0], wire.supersedes_len)
    out.raw = raw
    out.qty_lots = wire.qty_lots
    out.price_ticks = wire.price_ticks
    out.expires_boottime_ns = wire.expires_at_boottime_ns
    out.instrument_version = wire.instrument_version
    out.side = wire.side
    out.order_type = wire.order_type
    out.time_in_force = wire.time_in_force
    out.reduce_only = wire.reduce_only
    return 0


cdef int codec_confirm(const uint8_t *data, int32_t size, IntentRef *out) noexcept nogil:
    cdef Confirm message
    if decode_confirm(data, size, &message) or check_confirm(&message):
        return REJECT_REASON_MALFORMED
    memcpy(&out.intent_id[0], &message.intent_id[0], 16)
    out.token = message.token
    return 0


cdef int codec_intent_ref(const uint8_t *data, int32_t size, int frame_type,
                          IntentRef *out) noexcept nogil:
    """Abort, Status and Cancel: the intent they name."""
    cdef Abort abort
    cdef Status status
    cdef Cancel cancel
    out.token = 0
    if frame_type == FRAME_TYPE_ABORT:
        if decode_abort(data, size, &abort) or check_abort(&abort):
            return REJECT_REASON_MALFORMED
        memcpy(&out.intent_id[0], &abort.intent_id[0], 16)
    elif frame_type == FRAME_TYPE_STATUS:
        if decode_status(data, size, &status) or check_status(&status):
            return REJECT_REASON_MALFORMED
        memcpy(&out.intent_id[0], &status.intent_id[0], 16)
    else:
        if decode_cancel(data, size, &cancel) or check_cancel(&cancel):
            return REJECT_REASON_MALFORMED
        memcpy(&out.intent_id[0], &cancel.intent_id[0], 16)
    return 0


cdef int codec_ping(const uint8_t *data, int32_t size, uint64_t *echo) noexcept nogil:
    cdef Ping message
    if decode_ping(data, size, &message):
        return REJECT_REASON_MALFORMED
    echo[0] = message.echo
    return 0


cdef int codec_halt(const uint8_t *data, int32_t size, char *text, int32_t cap) noexcept nogil:
    """The words of a HaltRequest, NUL-terminated."""
    cdef HaltRequest message
    cdef int32_t n
    if decode_halt_request(data, size, &message) or check_halt_request(&message):
        return REJECT_REASON_MALFORMED
    n = <int32_t>message.text_len if <int32_t>message.text_len < cap else cap - 1
    memcpy(text, &message.text[0], n)
    text[n] = 0
    return 0


cdef int codec_hello(const uint8_t *data, int32_t size, char *principal,
                     uint8_t *nonce) noexcept nogil:
    """Principal (25 bytes, NUL-terminated) and nonce (16 bytes) of a Hello."""
    cdef Hello message
    if decode_hello(data, size, &message) or check_hello(&message):
        return REJECT_REASON_MALFORMED
    memcpy(principal, &message.principal[0], message.principal_len)
    principal[message.principal_len] = 0
    memcpy(nonce, &message.client_nonce[0], 16)
    return 0


cdef int codec_lease(const uint8_t *data, int32_t size, Lease *out, Rejection *why) noexcept nogil:
    cdef RiskLease *wire = <RiskLease *>&out.scratch[0]
    cdef int32_t field
    cdef uint32_t i
    cdef int code = decode_risk_lease(data, size, wire)
    if code:
        return _malformed(why, REJECT_REASON_MALFORMED, code, b"lease")
    field = check_risk_lease(wire) % 1000
    if field == 5 and wire.state != 0:
        return _malformed(why, REJECT_REASON_UNKNOWN_ENUM, wire.state, b"state")
    if field:
        return _malformed(why, REJECT_REASON_MALFORMED, 0,
                          _LEASE_FIELDS[field if field <= 15 else 0])
    out.account = _view(&wire.account[0], wire.account_len)
    out.policy_hash = _view(&wire.policy_hash[0], wire.policy_hash_len)
    out.brain_epoch = wire.brain_epoch
    out.lease_sequence = wire.lease_sequence
    out.halt_epoch = wire.halt_epoch
    out.applied_lsn = wire.applied_lsn
    out.max_gross_notional_nanos = wire.max_gross_notional_nanos
    out.ttl_ms = wire.ttl_ms
    out.truth_score = wire.truth_score
    out.min_score_open = wire.min_score_open
    out.max_leverage_pct = wire.max_leverage_pct
    out.state = wire.state
    out.cause = wire.cause
    out.n_budgets = <int32_t>wire.budgets_count
    for i in range(wire.budgets_count):
        out.budgets[i].phase_id = _view(&wire.budgets[i].phase_id[0],
                                        wire.budgets[i].phase_id_len)
        out.budgets[i].max_notional_nanos = wire.budgets[i].max_notional_nanos
        out.budgets[i].allowed = wire.budgets[i].allowed
    return 0


cdef int codec_report(const uint8_t *data, int32_t size, Report *out) noexcept nogil:
    """A journal record; the checks of CONFIRMED are not read back."""
    cdef ExecutionReport *wire = <ExecutionReport *>&out.scratch[0]
    if decode_execution_report(data, size, wire):
        return REJECT_REASON_MALFORMED
    out.lsn = wire.lsn
    out.epoch = wire.epoch
    out.kind = wire.kind
    out.recorded_at_ns = wire.recorded_at_ns
    out.recorded_boottime_ns = wire.recorded_boottime_ns
    out.account = _view(&wire.account[0], wire.account_len)
    out.policy_hash = _view(&wire.policy_hash[0], wire.policy_hash_len)
    out.intent_id = _view(&wire.intent_id[0], wire.intent_id_len)
    out.phase_id = _view(&wire.phase_id[0], wire.phase_id_len)
    out.symbol = _view(&wire.symbol[0], wire.symbol_len)
    out.client_order_id = _view(&wire.client_order_id[0], wire.client_order_id_len)
    out.venue_order_id = _view(&wire.venue_order_id[0], wire.venue_order_id_len)
    out.trade_id = _view(&wire.trade_id[0], wire.trade_id_len)
    out.intent_digest = _view(&wire.intent_digest[0], wire.intent_digest_len)
    out.intent = _view(wire.intent.data, wire.intent.size)
    out.exec_type = wire.exec_type
    out.ord_status = wire.ord_status
    out.side = wire.side
    out.order_qty_lots = wire.order_qty_lots
    out.price_ticks = wire.price_ticks
    out.last_qty_lots = wire.last_qty_lots
    out.last_price_ticks = wire.last_price_ticks
    out.cum_qty_lots = wire.cum_qty_lots
    out.leaves_qty_lots = wire.leaves_qty_lots
    out.fee_nanos = wire.fee_nanos
    out.state = wire.state
    out.cause = wire.cause
    out.halt_epoch = wire.halt_epoch
    out.brain_epoch = wire.brain_epoch
    out.lease_sequence = wire.lease_sequence
    out.prepared_boottime_ns = wire.prepared_boottime_ns
    out.send_imminent = wire.send_imminent
    out.restated = wire.restated
    return 0


# ---- to the wire --------------------------------------------------------------------------------

cdef int64_t encode_challenge_to(const uint8_t *nonce, uint8_t *out, int64_t cap) noexcept nogil:
    cdef Challenge message
    memcpy(&message.server_nonce[0], nonce, 16)
    message.server_nonce_len = 16
    return encode_challenge(&message, out, cap)


cdef int64_t encode_ready_to(const Answer *answer, const uint8_t *policy_hash, uint64_t epoch,
                             View account, uint8_t *out, int64_t cap) noexcept nogil:
    cdef Ready message
    memset(&message, 0, sizeof(Ready))
    memcpy(&message.policy_hash[0], policy_hash, 32)
    message.policy_hash_len = 32
    message.exec_epoch = epoch
    _put(account, &message.account[0], &message.account_len, 24)
    message.state = answer.state
    message.boottime_ns = answer.boottime_ns
    return encode_ready(&message, out, cap)


cdef void _rejection(const Rejection *why, WireRejection *out) noexcept nogil:
    memset(out, 0, sizeof(WireRejection))
    out.reason = why.reason
    out.value = why.value
    out.limit = why.limit
    out.field_len = <uint32_t>strlen(&why.field[0])
    memcpy(&out.field[0], &why.field[0], out.field_len)


cdef int64_t encode_rejection_to(const Rejection *why, uint8_t *out, int64_t cap) noexcept nogil:
    cdef WireRejection message
    _rejection(why, &message)
    return encode_rejection(&message, out, cap)


cdef int64_t _encode_refused(const Answer *answer, uint8_t *out, int64_t cap) noexcept nogil:
    cdef Refused message
    message.intent_id_len = 16 if answer.has_id else 0
    memcpy(&message.intent_id[0], &answer.intent_id[0], 16)
    message.has_rejection = True
    _rejection(&answer.rejection, &message.rejection)
    return encode_refused(&message, out, cap)


cdef int64_t _encode_status(const Answer *answer, uint8_t *out, int64_t cap) noexcept nogil:
    cdef StatusReport message
    message.intent_id_len = 16
    memcpy(&message.intent_id[0], &answer.intent_id[0], 16)
    message.state = answer.intent_state
    message.lsn = answer.lsn
    message.cum_qty_lots = answer.cum_qty_lots
    message.leaves_qty_lots = answer.leaves_qty_lots
    message.intent_digest_len = 32 if answer.has_digest else 0
    memcpy(&message.intent_digest[0], &answer.digest[0], 32)
    message.client_order_id_len = <uint32_t>strlen(&answer.client_order_id[0])
    memcpy(&message.client_order_id[0], &answer.client_order_id[0], message.client_order_id_len)
    return encode_status_report(&message, out, cap)


cdef int64_t _encode_accepted(const Answer *answer, uint8_t *out, int64_t cap) noexcept nogil:
    cdef Accepted message
    message.intent_id_len = 16
    memcpy(&message.intent_id[0], &answer.intent_id[0], 16)
    message.lsn = answer.lsn
    message.client_order_id_len = <uint32_t>strlen(&answer.client_order_id[0])
    memcpy(&message.client_order_id[0], &answer.client_order_id[0], message.client_order_id_len)
    return encode_accepted(&message, out, cap)


cdef int64_t encode_answer_to(const Answer *answer, uint8_t *out, int64_t cap) noexcept nogil:
    """The payload of an answer frame."""
    cdef Prepared prepared
    cdef Aborted aborted
    cdef CancelAccepted cancel
    cdef Pong pong
    cdef HaltAccepted halt
    if answer.frame_type == FRAME_TYPE_PREPARED:
        prepared.intent_id_len = 16
        memcpy(&prepared.intent_id[0], &answer.intent_id[0], 16)
        prepared.token = answer.token
        prepared.expires_boottime_ns = answer.expires_boottime_ns
        return encode_prepared(&prepared, out, cap)
    if answer.frame_type == FRAME_TYPE_ACCEPTED:
        return _encode_accepted(answer, out, cap)
    if answer.frame_type == FRAME_TYPE_REFUSED:
        return _encode_refused(answer, out, cap)
    if answer.frame_type == FRAME_TYPE_STATUS_REPORT:
        return _encode_status(answer, out, cap)
    if answer.frame_type == FRAME_TYPE_ABORTED:
        aborted.intent_id_len = 16
        memcpy(&aborted.intent_id[0], &answer.intent_id[0], 16)
        return encode_aborted(&aborted, out, cap)
    if answer.frame_type == FRAME_TYPE_CANCEL_ACCEPTED:
        cancel.intent_id_len = 16
        memcpy(&cancel.intent_id[0], &answer.intent_id[0], 16)
        cancel.lsn = answer.lsn
        return encode_cancel_accepted(&cancel, out, cap)
    if answer.frame_type == FRAME_TYPE_PONG:
        pong.echo = answer.echo
        pong.boottime_ns = answer.boottime_ns
        pong.state = answer.state
        return encode_pong(&pong, out, cap)
    halt.halt_epoch = answer.halt_epoch
    halt.lsn = answer.lsn
    return encode_halt_accepted(&halt, out, cap)


cdef int64_t encode_report_to(const Report *report, uint8_t *out, int64_t cap) noexcept nogil:
    """The body of a journal record."""
    cdef ExecutionReport wire
    cdef int32_t i
    wire.lsn = report.lsn
    wire.epoch = report.epoch
    wire.kind = report.kind
    _put(report.account, &wire.account[0], &wire.account_len, 24)
    _put(report.policy_hash, &wire.policy_hash[0], &wire.policy_hash_len, 32)
    wire.recorded_at_ns = report.recorded_at_ns
    wire.recorded_boottime_ns = report.recorded_boottime_ns
    _put(report.intent_id, &wire.intent_id[0], &wire.intent_id_len, 16)
    _put(report.phase_id, &wire.phase_id[0], &wire.phase_id_len, 24)
    _put(report.symbol, &wire.symbol[0], &wire.symbol_len, 24)
    _put(report.client_order_id, &wire.client_order_id[0], &wire.client_order_id_len, 36)
    _put(report.venue_order_id, &wire.venue_order_id[0], &wire.venue_order_id_len, 36)
    wire.exec_type = report.exec_type
    wire.ord_status = report.ord_status
    wire.side = report.side
    wire.order_qty_lots = report.order_qty_lots
    wire.price_ticks = report.price_ticks
    wire.last_qty_lots = report.last_qty_lots
    wire.last_price_ticks = report.last_price_ticks
    wire.cum_qty_lots = report.cum_qty_lots
    wire.leaves_qty_lots = report.leaves_qty_lots
    wire.fee_nanos = report.fee_nanos
    wire.liquidity = report.liquidity
    _put(report.trade_id, &wire.trade_id[0], &wire.trade_id_len, 36)
    wire.venue_time_ns = report.venue_time_ns
    wire.reject_reason = report.reject_reason
    _put(report.venue_code, &wire.venue_code[0], &wire.venue_code_len, 16)
    _put(report.text, &wire.text[0], &wire.text_len, 128)
    _put(report.intent_digest, &wire.intent_digest[0], &wire.intent_digest_len, 32)
    wire.has_intent = report.intent.size > 0
    wire.intent.data = report.intent.at
    wire.intent.size = <uint32_t>report.intent.size
    wire.checks_count = 0
    if report.checks != NULL:
        wire.checks_count = <uint32_t>report.checks.count
        for i in range(report.checks.count):
            wire.checks[i].reason = report.checks.item[i].reason
            wire.checks[i].value = report.checks.item[i].value
            wire.checks[i].limit = report.checks.item[i].limit
            wire.checks[i].passed = report.checks.item[i].passed
    wire.send_imminent = report.send_imminent
    wire.state = report.state
    wire.cause = report.cause
    wire.halt_epoch = report.halt_epoch
    wire.position_lots = report.position_lots
    _put(report.operator_id, &wire.operator_id[0], &wire.operator_id_len, 48)
    wire.brain_epoch = report.brain_epoch
    wire.lease_sequence = report.lease_sequence
    wire.prepared_boottime_ns = report.prepared_boottime_ns
    wire.restated = report.restated
    return encode_execution_report(&wire, out, cap)


cdef int64_t encode_verdict_to(const Verdict *verdict, View account, const uint8_t *policy_hash,
                               uint8_t *out, int64_t cap) noexcept nogil:
    cdef PrepareVerdict wire
    cdef int32_t i
    _put(account, &wire.account[0], &wire.account_len, 24)
    _put(verdict.intent.phase_id, &wire.phase_id[0], &wire.phase_id_len, 24)
    memcpy(&wire.intent_id[0], &verdict.intent.intent_id[0], 16)
    wire.intent_id_len = 16
    memcpy(&wire.policy_hash[0], policy_hash, 32)
    wire.policy_hash_len = 32
    wire.approved = verdict.rejection == NULL
    wire.has_rejection = verdict.rejection != NULL
    if verdict.rejection != NULL:
        _rejection(verdict.rejection, &wire.rejection)
    wire.checks_count = <uint32_t>verdict.checks.count
    for i in range(verdict.checks.count):
        wire.checks[i].reason = verdict.checks.item[i].reason
        wire.checks[i].value = verdict.checks.item[i].value
        wire.checks[i].limit = verdict.checks.item[i].limit
        wire.checks[i].passed = verdict.checks.item[i].passed
    wire.decided_at_ns = verdict.decided_at_ns
    wire.gate_latency_ns = verdict.gate_latency_ns
    wire.verdict_sequence = verdict.sequence
    wire.dropped_before = verdict.dropped_before
    wire.has_intent = True
    wire.intent.data = verdict.intent.raw.at
    wire.intent.size = <uint32_t>verdict.intent.raw.size
    wire.epoch = verdict.epoch
    return encode_prepare_verdict(&wire, out, cap)
