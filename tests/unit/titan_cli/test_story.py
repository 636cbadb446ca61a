"""`why` and `status` as text: what is recorded is told, what is not is said to be missing."""

from __future__ import annotations

import pytest
from titan.brain.v1 import brain_service_pb2 as brain_pb2
from titan.brain.v1 import decision_pb2
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.risk.v1 import trading_state_pb2
from titan.trading.v1 import order_pb2, reject_reason_pb2
from titan.truth.v1 import truth_pb2
from titan_cli.operator import status, why
from titan_cli.output import span

NS = 1_700_000_000_000_000_000


@pytest.fixture
def answer() -> brain_pb2.ExplainDecisionResponse:
    answer = brain_pb2.ExplainDecisionResponse()
    intent = answer.intent
    intent.intent_id = b"\x01" * 16
    intent.phase_id, intent.rule, intent.symbol = "scavenger", "breakout_trap", "BTCUSDT"
    intent.side, intent.order_type = order_pb2.SIDE_BUY, order_pb2.ORDER_TYPE_LIMIT
    intent.time_in_force = order_pb2.TIME_IN_FORCE_IOC
    intent.qty_lots, intent.price_ticks, intent.created_at_ns = 5, 600_000, NS
    intent.inputs.add(name="ofi_10s", value="0.42")
    verdict = answer.verdict
    verdict.intent_id, verdict.approved = intent.intent_id, True
    verdict.decided_at_ns, verdict.gate_latency_ns = NS + 5, 1_700
    verdict.checks.add(
        reason=reject_reason_pb2.REJECT_REASON_ORDER_QTY_LIMIT, value=5, limit=1_000, passed=True
    )
    answer.truth.score = 93
    answer.truth.components.add(
        kind=truth_pb2.TRUTH_COMPONENT_KIND_AGE, weight=10, loss=7, value="1.2 s"
    )
    answer.lease.brain_epoch, answer.lease.lease_sequence = 3, 77
    answer.lease.state = trading_state_pb2.TRADING_STATE_NORMAL
    answer.lease.max_gross_notional_nanos = 500_000 * 10**9
    decision = answer.decisions.add(
        kind=decision_pb2.DECISION_KIND_TRADING_STATE, rule="guardian.truth", verdict="NORMAL"
    )
    decision.inputs.add(name="truth_score", value="93", limit="80")
    kinds = (
        (report_pb2.RECORD_KIND_CONFIRMED, order_pb2.ORD_STATUS_PENDING_NEW),
        (report_pb2.RECORD_KIND_VENUE_ACK, order_pb2.ORD_STATUS_NEW),
        (report_pb2.RECORD_KIND_FILL, order_pb2.ORD_STATUS_FILLED),
    )
    for lsn, (kind, ord_status) in enumerate(kinds, 41):
        answer.reports.add(
            lsn=lsn, kind=kind, ord_status=ord_status, recorded_at_ns=NS + (lsn - 41) * 2_000_000,
            client_order_id="T1abc", last_qty_lots=5, last_price_ticks=599_990,
            fee_nanos=90_000_000, restated=kind == report_pb2.RECORD_KIND_FILL,
        )  # fmt: skip
    return answer


def test_the_story_has_every_part(answer: brain_pb2.ExplainDecisionResponse) -> None:
    text = why.as_text(answer)
    for words in (
        "BUY 5 lots BTCUSDT at 600000 ticks", "LIMIT IOC", "rule breakout_trap", "saw ofi_10s",
        "approved at", "1.7 us", "ORDER_QTY_LIMIT", "limit 1,000", "93 of 100: AGE -7 (1.2 s)",
        "epoch 3 number 77: NORMAL", "guardian.truth", "LSN 41", "CONFIRMED", "VENUE_ACK", "+2 ms",
        "5 lots at 599990 ticks", "by recovery", "order T1abc",
    ):  # fmt: skip
        assert words in text, words


def test_a_refusal_names_reason_value_limit_and_next_step(
    answer: brain_pb2.ExplainDecisionResponse,
) -> None:
    answer.verdict.approved = False
    refused = answer.verdict.rejection
    refused.reason = reject_reason_pb2.REJECT_REASON_PRICE_COLLAR
    refused.value, refused.limit, refused.field = 700_000, 612_000, "price_ticks"
    refused.hint = "Move the price."
    del answer.reports[:]
    text = why.as_text(answer)
    assert "REFUSED PRICE_COLLAR: value 700,000, limit 612,000 price_ticks" in text
    assert "next: Move the price." in text
    assert "nothing reached the journal" in text


def test_what_is_missing_is_said() -> None:
    text = why.as_text(brain_pb2.ExplainDecisionResponse())
    assert "the verdict was not recorded" in text
    assert "truth      not recorded" in text
    assert "lease      not recorded" in text


def picture(**parts: object) -> status.Picture:
    fields = {"execution": None, "allocation": None, "truth": None, "processes": {}, "silent": {}}
    return status.Picture(**{**fields, **parts})


def test_status_tells_a_halt_and_how_to_lift_it() -> None:
    edge = control_pb2.DescribeStateResponse(
        account="paper-main",
        state=trading_state_pb2.TRADING_STATE_HALTED,
        cause=trading_state_pb2.BREAKER_CAUSE_OPERATOR,
        halt_epoch=4,
        durable_lsn=90,
        published_lsn=88,
    )
    edge.venues.add(venue="paper", connected=True, unknown_orders=2)
    edge.books.add(symbol="BTCUSDT", bid_price_ticks=1, ask_price_ticks=2, age_ns=-1)
    shown = picture(execution=edge, silent={"brain": "SERVICE_UNREACHABLE"})
    text = status.as_text(shown)
    for words in ("HALTED", "--epoch 4", "lag 2", "NOT RECONCILED", "2 unknown", "NOT LIVE",
                  "the Brain does not answer"):  # fmt: skip
        assert words in text, words
    fields = status.as_fields(shown)["execution"]
    assert fields["publish_lag"] == 2
    assert fields["unknown_orders"] == 2


def test_status_lists_truth_lease_and_processes() -> None:
    allocation = brain_pb2.GetAllocationResponse(state=trading_state_pb2.TRADING_STATE_NORMAL)
    allocation.lease.budgets.add(phase_id="scavenger", max_notional_nanos=200_000 * 10**9)
    truth = brain_pb2.GetTruthResponse(snapshot_age_ns=1_000_000)
    truth.truth.score = 88
    truth.truth.components.add(
        kind=truth_pb2.TRUTH_COMPONENT_KIND_FILLS, weight=20, loss=12, remedy="wait"
    )
    processes = {"venue": {"state": "ready", "pid": 7, "restarts": 1}}
    text = status.as_text(picture(allocation=allocation, truth=truth, processes=processes))
    for words in ("truth score 88", "8/20", "200,000.00, NOT ALLOWED", "venue", "ready"):
        assert words in text, words


def test_spans_read_well() -> None:
    assert [span(value) for value in (0, 999, 1_700, 2_500_000, 3 * 10**9, -1, -2_000)] == [
        "0 ns", "999 ns", "1.7 us", "2.5 ms", "3 s", "never", "-2 us",
    ]  # fmt: skip
