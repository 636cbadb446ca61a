"""Promises that need the real Brain: risk as a lease, the brake through it, orders that explain.

The whole mesh but the phase: the test trades through FastPath, operators act through `titan`.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from titan.brain.v1 import brain_service_pb2 as brain_pb2
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.risk.v1 import trading_state_pb2
from titan.trading.v1 import intent_pb2, order_pb2, reject_reason_pb2
from titan_testkit.edge import DEFENSIVE, HALTED, NORMAL, Edge
from titan_testkit.mesh import until
from titan_testkit.paper import SYMBOL

pytestmark = pytest.mark.e2e
REASON = reject_reason_pb2.RejectReason
FILLED, LIVE = order_pb2.INTENT_STATE_FILLED, order_pb2.INTENT_STATE_LIVE
CANCELED = order_pb2.INTENT_STATE_CANCELED
SLACK_TICKS = 100
LEASE_TTL_NS = 3_000_000_000
TRUTH_STALE_NS = 3_500_000_000
EVIDENCE_S = 30.0


@pytest.fixture(scope="module")
def mesh(make_edge) -> Edge:
    """Bus, venue, Execution, Brain, and a market that moves."""
    made = make_edge(feed__speed="1")
    made.mesh.start("nats", "venue", "execution", "brain", "feed")
    return made


@pytest.fixture
def edge(mesh) -> Edge:
    """The mesh once the Brain found the evidence good and opened trading."""
    opened(mesh)
    return mesh


def opened(edge: Edge) -> None:
    until(
        "the Brain opens trading",
        lambda: edge.describe().state == NORMAL,
        EVIDENCE_S,
        lambda: edge.call(edge.brain.GetTruth, brain_pb2.GetTruthRequest()),
    )


def book_of(edge: Edge) -> control_pb2.BookState:
    """The book at the gate, once it has two sides."""
    found: list[control_pb2.BookState] = []

    def quoted() -> bool:
        found[:] = [book for book in edge.describe().books if book.symbol == SYMBOL]
        return found[0].live and found[0].bid_price_ticks > 0 and found[0].ask_price_ticks > 0

    until("the market quotes", quoted, seen=lambda: found)
    return found[0]


def marketable(edge: Edge, **changes: object) -> intent_pb2.IntentSignal:
    """An intent that fills at the market as it is now."""
    book = book_of(edge)
    selling = changes.get("side") == order_pb2.SIDE_SELL
    ticks = book.bid_price_ticks - SLACK_TICKS if selling else book.ask_price_ticks + SLACK_TICKS
    return edge.intent(**{"price_ticks": ticks} | changes)


def resting(edge: Edge) -> bytes:
    """A working order, well below the market."""
    intent = edge.intent(
        price_ticks=book_of(edge).bid_price_ticks - 5_000, time_in_force=order_pb2.TIME_IN_FORCE_GTC
    )
    accepted(edge, intent)
    edge.ends(intent.intent_id, LIVE)
    return intent.intent_id


def accepted(edge: Edge, intent: intent_pb2.IntentSignal) -> frames.Accepted:
    with edge.fastpath() as session:
        answer = session.submit(intent)
    assert isinstance(answer, frames.Accepted), f"{answer}{edge.mesh.log_of('brain')[-3000:]}"
    return answer


def filled(edge: Edge, **changes: object) -> intent_pb2.IntentSignal:
    intent = marketable(edge, **changes)
    accepted(edge, intent)
    edge.ends(intent.intent_id, FILLED)
    return intent


def refusal(edge: Edge) -> int:
    """Why new risk is denied now; 0 when it is not."""
    with edge.fastpath() as session:
        answer = session.prepare(marketable(edge))
    return answer.rejection.reason if isinstance(answer, frames.Refused) else 0


def reduction(edge: Edge) -> None:
    filled(edge, side=order_pb2.SIDE_SELL, qty_lots=1, reduce_only=True)


def titan(edge: Edge, *words: str) -> tuple[int, dict[str, object], str]:
    """A command of `titan`: exit code, its JSON object, what it said."""
    command = [sys.executable, "-m", "titan_cli", *words]
    done = subprocess.run(
        [*command, "--home", str(edge.mesh.home.root), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    said = done.stdout + done.stderr + edge.mesh.log_of("brain")[-3000:]
    return done.returncode, json.loads(lines[-1]) if lines else {}, said


def explained(edge: Edge, name: str) -> brain_pb2.ExplainDecisionResponse:
    request = brain_pb2.ExplainDecisionRequest(id=name)
    return edge.call(edge.brain.ExplainDecision, request)


def applied_everything(edge: Edge) -> bool:
    funnel = edge.call(edge.brain.GetFunnel, brain_pb2.GetFunnelRequest())
    return funnel.applied_lsn >= edge.describe().durable_lsn


# ---- every order explains itself ----------------------------------------------------------------


def test_a_filled_order_names_inputs_checks_lease_truth_and_fills(edge):
    intent = filled(edge)
    until("the Brain applied it", lambda: applied_everything(edge))
    name = intent.intent_id.hex()
    until("the verdict is recorded", lambda: explained(edge, name).HasField("verdict"))
    told = explained(edge, name)
    assert [(seen.name, seen.value) for seen in told.intent.inputs] == [("ofi_10s", "0.25")]
    assert told.verdict.approved
    checks = {check.reason: check for check in told.verdict.checks}
    for reason in ("POLICY_HASH_MISMATCH", "PRICE_COLLAR", "GROSS_EXPOSURE_LIMIT", "PHASE_BUDGET"):
        assert checks[REASON.Value(f"REJECT_REASON_{reason}")].passed
    assert checks[REASON.REJECT_REASON_PRICE_COLLAR].limit == 20_000
    assert told.lease.state == NORMAL
    assert told.lease.lease_sequence > 0
    assert told.truth.score >= 80
    kinds = [report.kind for report in told.reports]
    assert kinds[0] == report_pb2.RECORD_KIND_CONFIRMED
    fills = [r for r in told.reports if r.kind == report_pb2.RECORD_KIND_FILL]
    assert sum(fill.last_qty_lots for fill in fills) == intent.qty_lots
    assert [r.lsn for r in told.reports] == sorted({r.lsn for r in told.reports})
    # By any of its names, and in words.
    for other in (name[:12], told.reports[0].client_order_id, fills[0].trade_id):
        assert explained(edge, other).intent.intent_id == intent.intent_id
    code, story, said = titan(edge, "why", name)
    assert code == 0, said
    assert len(story["reports"]) == len(told.reports)
    assert story["intent"]["inputs"] == [{"name": "ofi_10s", "value": "0.25"}]


def test_a_refused_intent_names_the_value_and_the_limit(edge):
    intent = marketable(edge, qty_lots=1_001)
    with edge.fastpath() as session:
        assert isinstance(session.submit(intent), frames.Refused)
    name = intent.intent_id.hex()
    until("the verdict is recorded", lambda: _is_known(edge, name))
    verdict = explained(edge, name).verdict
    assert not verdict.approved
    assert verdict.rejection.reason == REASON.REJECT_REASON_ORDER_QTY_LIMIT
    assert (verdict.rejection.value, verdict.rejection.limit) == (1_001, 1_000)
    assert not verdict.checks[-1].passed


def _is_known(edge: Edge, name: str) -> bool:
    code, _, _ = titan(edge, "why", name)
    return code == 0


# ---- risk is a lease ----------------------------------------------------------------------------


def test_a_frozen_brain_ends_new_risk_within_the_lease(edge):
    filled(edge)
    working = resting(edge)
    frozen_ns = edge.clock.boottime_ns()
    edge.mesh.freeze("brain")
    try:
        until("the lease lapses", lambda: edge.describe().state == DEFENSIVE, wait_s=6)
        assert refusal(edge) == REASON.REJECT_REASON_LEASE_EXPIRED
        reduction(edge)
        with edge.fastpath() as session:
            assert isinstance(session.cancel(working), frames.CancelAccepted)
        edge.ends(working, CANCELED)
    finally:
        edge.mesh.thaw("brain")
    (lapse, *_) = [r for r in edge.reports() if _lapsed(r) and r.recorded_boottime_ns > frozen_ns]
    assert lapse.recorded_boottime_ns - frozen_ns < LEASE_TTL_NS + 500_000_000
    opened(edge)
    filled(edge)


def _lapsed(report: report_pb2.ExecutionReport) -> bool:
    lapsed = trading_state_pb2.BREAKER_CAUSE_LEASE_LAPSED
    return report.kind == report_pb2.RECORD_KIND_TRADING_STATE and report.cause == lapsed


def test_a_brain_that_wakes_up_blind_opens_nothing(edge):
    before = edge.describe()
    edge.mesh.kill("nats")
    edge.mesh.freeze("brain")
    asleep_ns = edge.clock.boottime_ns() + TRUTH_STALE_NS
    try:
        until("its picture is old", lambda: edge.clock.boottime_ns() > asleep_ns)
    finally:
        edge.mesh.thaw("brain")
    until("it grants again", lambda: edge.describe().lease_remaining_ns > 0)
    until("it sees that it is blind", lambda: _cause(edge) == trading_state_pb2.BREAKER_CAUSE_BLIND)
    assert NORMAL not in _states_since(edge, before.durable_lsn)
    edge.mesh.start("nats")
    opened(edge)
    filled(edge)
    until("every report is applied", lambda: applied_everything(edge))


def _cause(edge: Edge) -> int:
    return edge.call(edge.brain.GetAllocation, brain_pb2.GetAllocationRequest()).cause


def _states_since(edge: Edge, lsn: int) -> list[int]:
    """States at the edge that the journal tells behind an LSN."""
    moved = (report_pb2.RECORD_KIND_TRADING_STATE, report_pb2.RECORD_KIND_RESUME)
    return [report.state for report in edge.reports(lsn + 1) if report.kind in moved]


def test_a_killed_brain_comes_back_blind_and_earns_trading_again(edge):
    filled(edge)
    before = edge.describe()
    edge.mesh.kill("brain")
    edge.mesh.start("brain")
    until("a new Brain is obeyed", lambda: edge.describe().brain_epoch > before.brain_epoch)
    opened(edge)
    filled(edge)
    until("every report is applied", lambda: applied_everything(edge))
    states = _states_since(edge, before.durable_lsn)
    assert states[0] == DEFENSIVE
    assert states[-1] == NORMAL


# ---- the brake ----------------------------------------------------------------------------------


def test_a_halt_outlives_both_services_and_ends_by_signature_of_its_epoch(edge):
    filled(edge)
    code, done, said = titan(edge, "halt", "--operator", "op-a", "--text", "test")
    assert code == 0, said
    assert edge.describe().state == HALTED
    epoch = int(done["halt_epoch"])
    assert refusal(edge) == REASON.REJECT_REASON_TRADING_HALTED
    for service in ("brain", "execution"):
        edge.mesh.kill(service)
    edge.mesh.start("execution", "brain")
    until("the Brain grants", lambda: edge.describe().lease_remaining_ns > 0)
    assert edge.describe().state == HALTED
    allocation = edge.call(edge.brain.GetAllocation, brain_pb2.GetAllocationRequest())
    assert (allocation.state, allocation.halt_epoch) == (HALTED, epoch)
    until("the venue is reconciled", lambda: edge.describe().venues[0].reconciled)
    assert refusal(edge) == REASON.REJECT_REASON_TRADING_HALTED
    reduction(edge)
    code, _, said = titan(edge, "resume", "--operator", "op-a", "--epoch", str(epoch + 1))
    assert code == 1, said
    assert "HALT_EPOCH_OTHER" in said
    assert edge.describe().state == HALTED
    code, _, said = titan(edge, "resume", "--operator", "op-a", "--epoch", str(epoch))
    assert code == 0, said
    opened(edge)
    # The way back leads through DEFENSIVE.
    assert _states_since(edge, 0)[-2:] == [DEFENSIVE, NORMAL]
    filled(edge)
