"""`titan why ID`: one order's story from the Brain's record. Must never infer what is not there."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from titan.brain.v1 import brain_service_pb2, decision_pb2
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.execution.v1 import prepare_verdict_pb2
from titan.risk.v1 import lease_pb2
from titan.trading.v1 import intent_pb2, order_pb2, reject_reason_pb2
from titan.truth.v1 import truth_pb2

from titan_cli.operator.status import cause_name, state_name
from titan_cli.output import span, table

Answer = brain_service_pb2.ExplainDecisionResponse


def as_fields(answer: Answer) -> dict[str, object]:
    """The story for scripts: the message as canonical JSON."""
    return dict(MessageToDict(answer, preserving_proto_field_name=True))


def as_text(answer: Answer) -> str:
    """The story for people."""
    blocks = [
        _wish(answer),
        _gate(answer),
        _truth(answer.truth) if answer.HasField("truth") else "truth      not recorded",
        _lease(answer.lease) if answer.HasField("lease") else "lease      not recorded",
        *(_decision(decision) for decision in answer.decisions),
        _steps(answer),
    ]
    return "\n\n".join(block for block in blocks if block)


def _enum(enum: object, prefix: str, value: int) -> str:
    try:
        return str(enum.Name(value)).removeprefix(prefix)  # type: ignore[attr-defined]
    except ValueError:
        return str(value)


def reason_name(value: int) -> str:
    """Short name of a reject reason."""
    return _enum(reject_reason_pb2.RejectReason, "REJECT_REASON_", value)


def kind_name(value: int) -> str:
    """Short name of a record kind."""
    return _enum(report_pb2.RecordKind, "RECORD_KIND_", value)


def clock_text(unix_ns: int) -> str:
    """UTC time of day with microseconds."""
    moment = datetime.fromtimestamp(unix_ns // 10**9, UTC)
    return f"{moment:%H:%M:%S}.{unix_ns % 10**9 // 1000:06d}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _intent_of(answer: Answer) -> intent_pb2.IntentSignal | None:
    if answer.HasField("intent"):
        return answer.intent
    if answer.verdict.HasField("intent"):
        return answer.verdict.intent
    return next((r.intent for r in answer.reports if r.HasField("intent")), None)


def _wish(answer: Answer) -> str:
    intent = _intent_of(answer)
    if intent is None:
        return ""
    side = _enum(order_pb2.Side, "SIDE_", intent.side)
    kind = _enum(order_pb2.OrderType, "ORDER_TYPE_", intent.order_type)
    life = _enum(order_pb2.TimeInForce, "TIME_IN_FORCE_", intent.time_in_force)
    rows = [
        ("wanted", f"{side} {intent.qty_lots} lots {intent.symbol} at {intent.price_ticks} ticks"),
        ("as", f"{kind} {life}" + (" reduce-only" if intent.reduce_only else "")),
        ("by", f"{intent.phase_id}, rule {intent.rule or 'not named'}"),
        ("decided", clock_text(intent.created_at_ns)),
        ("policy", intent.policy_hash.hex()),
    ]
    rows += [(f"saw {seen.name}", seen.value) for seen in intent.inputs]
    return f"intent     {intent.intent_id.hex()}\n" + _indented(table(rows))


def _checks_of(answer: Answer) -> list[reject_reason_pb2.Check]:
    if answer.verdict.checks:
        return list(answer.verdict.checks)
    return next((list(r.checks) for r in answer.reports if r.checks), [])


def _gate(answer: Answer) -> str:
    checks = _checks_of(answer)
    if not answer.HasField("verdict") and not checks:
        return "gate       the verdict was not recorded"
    rows = [
        (
            "passed" if check.passed else "FAILED",
            reason_name(check.reason),
            f"{check.value:,}",
            f"limit {check.limit:,}",
        )
        for check in checks
    ]
    return _verdict_line(answer.verdict, bool(checks)) + "\n" + _indented(table(rows))


def _verdict_line(verdict: prepare_verdict_pb2.PrepareVerdict, confirmed: bool) -> str:
    if not verdict.intent_id:
        return "gate       passed, as the CONFIRMED record has it" if confirmed else "gate"
    took = span(verdict.gate_latency_ns)
    if verdict.approved:
        return f"gate       approved at {clock_text(verdict.decided_at_ns)} in {took}"
    refused = verdict.rejection
    return (
        f"gate       REFUSED {reason_name(refused.reason)}: value {refused.value:,}, limit "
        f"{refused.limit:,} {refused.field}\n  next: {refused.hint}"
    )


def _truth(truth: truth_pb2.TruthScored) -> str:
    lost = [
        f"{truth_pb2.TruthComponentKind.Name(part.kind).removeprefix('TRUTH_COMPONENT_KIND_')}"
        f" -{part.loss} ({part.value})"
        for part in truth.components
        if part.loss
    ]
    return f"truth      {truth.score} of 100" + (f": {', '.join(lost)}" if lost else ", no loss")


def _lease(lease: lease_pb2.RiskLease) -> str:
    return (
        f"lease      epoch {lease.brain_epoch} number {lease.lease_sequence}: "
        f"{state_name(lease.state)} ({cause_name(lease.cause)}), "
        f"gross up to {lease.max_gross_notional_nanos / 1e9:,.2f}"
    )


def _decision(decision: decision_pb2.DecisionRecorded) -> str:
    rows = [
        (seen.name, seen.value, f"limit {seen.limit}" if seen.limit else "")
        for seen in decision.inputs
    ]
    kind = _enum(decision_pb2.DecisionKind, "DECISION_KIND_", decision.kind)
    who = f" by {decision.operator_id}" if decision.operator_id else ""
    return (
        f"decision   {clock_text(decision.decided_at_ns)} {kind} {decision.rule}{who}: "
        f"{decision.verdict}\n" + _indented(table(rows))
    )


def _steps(answer: Answer) -> str:
    if not answer.reports:
        return "steps      nothing reached the journal"
    began_ns = answer.reports[0].recorded_at_ns
    rows = [
        (
            f"+{span(report.recorded_at_ns - began_ns)}",
            f"LSN {report.lsn}",
            kind_name(report.kind),
            _enum(order_pb2.OrdStatus, "ORD_STATUS_", report.ord_status),
            _detail(report),
        )
        for report in answer.reports
    ]
    first = answer.reports[0]
    head = f"steps      from {clock_text(began_ns)}, order {first.client_order_id}"
    return head + "\n" + _indented(table(rows))


def _detail(report: report_pb2.ExecutionReport) -> str:
    parts = []
    if report.kind == report_pb2.RECORD_KIND_FILL:
        role = _enum(order_pb2.Liquidity, "LIQUIDITY_", report.liquidity).lower()
        parts.append(
            f"{report.last_qty_lots} lots at {report.last_price_ticks} ticks, {role}, fee "
            f"{report.fee_nanos / 1e9:.6f}, position {report.position_lots}"
        )
    if report.restated:
        parts.append("by recovery")
    if report.venue_code:
        parts.append(f"venue code {report.venue_code}")
    if report.text:
        parts.append(report.text)
    return "; ".join(parts)
