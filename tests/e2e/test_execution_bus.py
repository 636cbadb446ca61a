"""Execution on the bus: every record once, in order; no order waits for a dead bus."""

from __future__ import annotations

import asyncio

import pytest
from titan import topology
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.trading.v1 import order_pb2
from titan_mesh.bus.connection import connect
from titan_mesh.clock import SystemClock
from titan_mesh.telemetry.logs import Log
from titan_testkit.edge import HALTED
from titan_testkit.mesh import until


@pytest.fixture
def edge(make_edge):
    edge = make_edge()
    edge.mesh.start("nats", "venue", "execution")
    return edge


def messages(edge, event):
    """(headers, message) of every stored message of an event, in order."""

    async def read():
        bus = await connect(edge.mesh.bus_url, name="test", log=Log("test", SystemClock()))
        try:
            subscription = await bus.js.subscribe(event.wildcard, ordered_consumer=True)
            info = await bus.js.stream_info(event.stream.name, subjects_filter=event.wildcard)
            count = sum((info.state.subjects or {}).values())
            found = [await subscription.next_msg(5) for _ in range(count)]
            return [(dict(m.headers or {}), event.decode(m.data)) for m in found]
        finally:
            await bus.close()

    return asyncio.run(read())


def published(edge):
    """True when the bus has everything."""
    seen = edge.describe()
    return seen.published_lsn == seen.durable_lsn


def test_every_record_is_on_the_bus_once_with_its_lsn(edge):
    order = edge.trade()
    until("the bus has everything", lambda: published(edge))
    told = messages(edge, topology.EXECUTION_REPORT)
    durable = edge.describe().durable_lsn
    assert [int(headers["Titan-Lsn"]) for headers, _ in told] == list(range(1, durable + 1))
    assert {headers["Nats-Msg-Id"] for headers, _ in told} == {
        f"paper-main:{lsn}" for lsn in range(1, durable + 1)
    }
    assert [report for _, report in told] == edge.reports()
    confirmed = [r for _, r in told if r.kind == report_pb2.RECORD_KIND_CONFIRMED]
    assert confirmed[0].intent_id == order.intent_id


def test_verdicts_truth_and_breaker_are_told(edge):
    edge.trade()
    with pytest.raises(Exception, match="ORDER_QTY_LIMIT"):
        edge.submit(edge.intent(qty_lots=1001))
    halt = control_pb2.SetTradingStateRequest(
        account="paper-main", state=HALTED, operator_id="op-a", text="test"
    )
    edge.call(edge.control.SetTradingState, halt)
    until("the bus has everything", lambda: published(edge))
    until("both verdicts came", lambda: len(messages(edge, topology.PREPARE_VERDICT)) >= 2)
    verdicts = [verdict for _, verdict in messages(edge, topology.PREPARE_VERDICT)]
    assert [verdict.approved for verdict in verdicts] == [True, False]
    assert verdicts[0].gate_latency_ns > 0
    assert verdicts[0].intent.rule == "test"
    assert verdicts[0].intent.inputs[0].name == "ofi_10s"
    (_, snapshot), *_ = messages(edge, topology.TRUTH_SNAPSHOT)
    assert (snapshot.account, snapshot.exec_epoch) == ("paper-main", 1)
    states = [change.state for _, change in messages(edge, topology.TRADING_STATE_CHANGED)]
    assert states[-1] == HALTED


def test_a_dead_bus_stops_no_order_and_loses_no_report(edge):
    edge.trade()
    edge.mesh.kill("nats")
    orders = [edge.trade() for _ in range(3)]
    assert all(order.ord_status == order_pb2.ORD_STATUS_FILLED for order in orders)
    assert not published(edge)
    edge.mesh.start("nats")
    until("the bus has everything", lambda: published(edge))
    told = messages(edge, topology.EXECUTION_REPORT)
    lsns = [int(headers["Titan-Lsn"]) for headers, _ in told]
    assert sorted(set(lsns)) == list(range(1, edge.describe().durable_lsn + 1))


def test_a_restart_goes_on_where_the_bus_is(edge):
    edge.trade()
    edge.mesh.kill("execution")
    edge.mesh.start("execution")
    edge.trade()
    until("the bus has everything", lambda: published(edge))
    told = messages(edge, topology.EXECUTION_REPORT)
    durable = edge.describe().durable_lsn
    assert [int(headers["Titan-Lsn"]) for headers, _ in told] == list(range(1, durable + 1))
