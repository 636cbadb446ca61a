"""Scavenger in the real mesh: kill -9 of the phase and of Execution; nothing lost or doubled."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.venue.v1 import order_log_pb2
from titan_market.venue.orderlog import read_entries
from titan_sdk.submit.intent_log import IntentLog
from titan_testkit.edge import Edge
from titan_testkit.mesh import until

SERVICES = ("nats", "venue", "execution", "brain", "scavenger", "feed")
REQUESTS = (order_log_pb2.ORDER_LOG_KIND_ACCEPTED, order_log_pb2.ORDER_LOG_KIND_REJECTED)


def status(home: Path) -> dict[str, object]:
    return json.loads((home / "run" / "scavenger.json").read_text())


def accepts(home: Path, more: int) -> Callable[[], bool]:
    path = home / "run" / "scavenger.json"
    return lambda: path.exists() and status(home)["accepted"] >= more  # type: ignore[operator]


@pytest.mark.e2e
def test_a_phase_survives_kill_9_of_itself_and_of_execution(
    make_edge: Callable[..., Edge],
) -> None:
    edge = make_edge()
    mesh, home = edge.mesh, edge.mesh.home.root
    mesh.set("feed", speed="20", market_seconds=1_200)
    mesh.set("phase.scavenger", reconnect_initial_ms=100)
    mesh.start(*SERVICES)
    until("20 intents are accepted", accepts(home, 20))

    mesh.kill("scavenger")
    (home / "run" / "scavenger.json").unlink()
    mesh.start("scavenger")
    until("the restarted phase trades", accepts(home, 20))
    assert "earlier_run=True" in mesh.log_of("scavenger")

    before = status(home)["accepted"]
    mesh.kill("execution")
    mesh.start("execution")
    until("the phase trades in the new epoch", accepts(home, before + 20))  # type: ignore[operator]
    assert "exec_epoch=2" in mesh.log_of("scavenger")

    assert mesh.stop("scavenger") == 0
    assert status(home)["working"] == 0
    log = IntentLog(home / "phases" / "scavenger" / "intents.log")
    assert log.open == {}, "every intent has its end"
    log.close()

    reports = edge.reports()
    confirmed = [r for r in reports if r.kind == report_pb2.RECORD_KIND_CONFIRMED]
    assert len(confirmed) >= 60
    assert len({r.intent_id for r in confirmed}) == len(confirmed)
    entries = [entry for entry, _ in read_entries((home / "venue" / "orders.log").read_bytes())]
    requests = Counter(e.client_order_id for e in entries if e.kind in REQUESTS)
    assert set(requests) <= {r.client_order_id for r in confirmed}
    assert set(requests.values()) == {1}, "no order reached the venue twice"
    sign = {1: 1, 2: -1}
    fills = [r for r in reports if r.kind == report_pb2.RECORD_KIND_FILL]
    position = sum(sign[r.side] * r.last_qty_lots for r in fills)
    assert status(home)["positions"] == {"BTCUSDT": position}
    assert edge.position().position_lots == position
