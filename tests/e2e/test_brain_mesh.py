"""The Brain in the whole mesh: killed while a phase trades, it ends at the fold of the journal."""

from __future__ import annotations

import pytest
from titan.brain.v1 import brain_service_pb2 as brain_pb
from titan.execution.v1 import execution_service_pb2 as exec_pb
from titan.risk.v1 import trading_state_pb2 as state_pb
from titan_brain.ledger.book import Book
from titan_brain.ledger.fold import Effects, Grid, apply
from titan_brain.ledger.rows import empty_cursor
from titan_brain.ledger.state_hash import hash_of_book
from titan_testkit.mesh import until

pytestmark = pytest.mark.e2e
ACCOUNT = "paper-main"


def funnel(edge) -> brain_pb.GetFunnelResponse:
    return edge.call(edge.brain.GetFunnel, brain_pb.GetFunnelRequest(), "operator")


def allocation(edge) -> brain_pb.GetAllocationResponse:
    return edge.call(edge.brain.GetAllocation, brain_pb.GetAllocationRequest(), "operator")


def folded_hash(edge) -> tuple[int, bytes]:
    """The pure fold of what Execution's journal replays."""
    reports = edge.reports()
    book = Book(empty_cursor(ACCOUNT))
    for report in reports:
        apply(book, Grid(ACCOUNT, "paper", {"BTCUSDT": 100_000}), report, Effects())
    return len(reports), hash_of_book(book)


def test_killed_while_a_phase_trades_it_ends_at_the_fold(make_edge) -> None:
    edge = make_edge()
    mesh = edge.mesh
    mesh.set("feed", speed="20", market_seconds=2_400)
    mesh.start("nats", "venue", "execution", "brain", "scavenger", "feed")
    until("orders fill", lambda: funnel(edge).fills >= 3, 60.0)
    for round_number in (2, 3):
        mesh.kill("brain")
        until("the lease lapses", lambda: edge.describe().lease_remaining_ns <= 0, 10.0)
        assert edge.describe().state == state_pb.TRADING_STATE_DEFENSIVE
        mesh.start("brain")
        until(
            "the edge is NORMAL under the new brain epoch",
            lambda number=round_number: (
                edge.describe().brain_epoch == number
                and edge.describe().state == state_pb.TRADING_STATE_NORMAL
            ),
            30.0,
        )
        before = funnel(edge).fills
        until("orders fill again", lambda floor=before: funnel(edge).fills > floor, 60.0)
    mesh.kill("feed")
    mesh.kill("scavenger")
    until(
        "every report is applied",
        lambda: allocation(edge).applied_lsn == edge.describe().durable_lsn,
        30.0,
    )
    lsn, wanted = folded_hash(edge)
    found = funnel(edge)
    assert (found.applied_lsn, found.state_hash) == (lsn, wanted)
    position = edge.call(edge.orders.ListPositions, exec_pb.ListPositionsRequest()).positions[0]
    assert found.fee_nanos == position.fee_nanos
    truth = edge.call(edge.brain.GetTruth, brain_pb.GetTruthRequest()).truth
    assert truth.score >= 90
    intent = next(report.intent_id for report in edge.reports() if report.kind == 6)
    explained = edge.call(
        edge.brain.ExplainDecision, brain_pb.ExplainDecisionRequest(id=intent.hex())
    )
    assert explained.verdict.approved
    assert explained.intent.inputs
    assert explained.lease.state == state_pb.TRADING_STATE_NORMAL
    assert explained.decisions
    assert mesh.stop("brain") == 0
