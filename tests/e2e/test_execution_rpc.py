"""Every RPC of Execution against the real process."""

from __future__ import annotations

import signal

import grpc
import pytest
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.execution.v1 import execution_service_pb2 as execution_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.risk.v1 import trading_state_pb2
from titan.trading.v1 import order_pb2
from titan_mesh import keys, operator_keys
from titan_mesh.errors import TitanError
from titan_testkit.edge import DEFENSIVE, HALTED, NORMAL
from titan_testkit.mesh import until
from titan_testkit.paper import BID_TICKS, SYMBOL

GTC = order_pb2.TIME_IN_FORCE_GTC
SIGNED_NS = 60_000_000_000


@pytest.fixture(scope="module")
def edge(make_edge):
    edge = make_edge()
    edge.mesh.start("nats", "venue", "execution")
    return edge


@pytest.fixture(autouse=True)
def opened(edge):
    seen = edge.describe()
    if seen.state == HALTED:
        edge.call(edge.control.SetTradingState, resume(edge, seen.halt_epoch, "op-a", "op-b"))
    edge.open()


def resume(edge, halt_epoch, *operators, state=DEFENSIVE, expires_ns=SIGNED_NS):
    expires_at_ns = edge.clock.unix_ns() + expires_ns
    text = f"titan.resume.v1|paper-main|{halt_epoch}|{expires_at_ns}".encode()
    return control_pb2.SetTradingStateRequest(
        account="paper-main",
        state=state,
        operator_id=operators[0] if operators else "nobody",
        text="lift",
        halt_epoch=halt_epoch,
        signatures=[
            control_pb2.OperatorSignature(
                operator_id=name,
                signature=operator_keys.sign(
                    keys.read_operator_private(edge.mesh.home.root, name), text
                ),
                expires_at_ns=expires_at_ns,
            )
            for name in operators
        ],
    )


def halt(edge, cause=trading_state_pb2.BREAKER_CAUSE_OPERATOR):
    request = control_pb2.SetTradingStateRequest(
        account="paper-main", state=HALTED, operator_id="op-a", text="test", cause=cause
    )
    return edge.call(edge.control.SetTradingState, request)


def code_of(fault):
    return fault.value.code


def test_submit_promises_and_explains(edge):
    intent = edge.intent()
    answer = edge.submit(intent)
    assert answer.checks
    assert all(check.passed for check in answer.checks)
    order = edge.ends(intent.intent_id, order_pb2.INTENT_STATE_FILLED)
    assert (order.confirmed_lsn, order.client_order_id) == (answer.lsn, answer.client_order_id)
    assert edge.submit(intent).lsn == answer.lsn, "a repeat is the same promise"


def test_submit_needs_a_role_and_its_own_phase(edge):
    with pytest.raises(TitanError) as fault:
        edge.submit(edge.intent(), principal="")
    assert code_of(fault) == "TOKEN_MISSING"
    with pytest.raises(TitanError) as fault:
        edge.submit(edge.intent(), principal="brain")
    assert code_of(fault) == "ROLE_DENIED"
    with pytest.raises(TitanError) as fault:
        edge.submit(edge.intent(phase_id="hunter"))
    assert code_of(fault) == "UNKNOWN_PHASE"


def test_a_denial_carries_reason_value_and_limit(edge):
    with pytest.raises(TitanError) as fault:
        edge.submit(edge.intent(qty_lots=1001))
    assert code_of(fault) == "ORDER_QTY_LIMIT"
    assert (fault.value.value, fault.value.limit) == ("1001", "1000")
    assert fault.value.hint


def test_cancel_get_and_list(edge):
    intent = edge.intent(time_in_force=GTC, price_ticks=BID_TICKS - 10)
    edge.submit(intent)
    edge.ends(intent.intent_id, order_pb2.INTENT_STATE_LIVE)
    listed = edge.call(edge.orders.ListOrders, execution_pb2.ListOrdersRequest(open_only=True))
    assert [order.intent_id for order in listed.orders] == [intent.intent_id]
    assert edge.position().open_buy_lots == intent.qty_lots
    request = execution_pb2.CancelIntentRequest(intent_id=intent.intent_id)
    assert edge.call(edge.orders.CancelIntent, request, "scavenger").lsn
    edge.ends(intent.intent_id, order_pb2.INTENT_STATE_CANCELED)
    with pytest.raises(TitanError) as fault:
        edge.order(bytes(16))
    assert code_of(fault) == "UNKNOWN_ORDER"


def test_orders_come_in_pages_newest_first(edge):
    for _ in range(3):
        edge.submit(edge.intent())
    request = execution_pb2.ListOrdersRequest(page_size=2)
    first = edge.call(edge.orders.ListOrders, request)
    assert len(first.orders) == 2
    assert first.orders[0].confirmed_lsn > first.orders[1].confirmed_lsn
    request.before_lsn = first.next_before_lsn
    second = edge.call(edge.orders.ListOrders, request)
    assert second.orders[0].confirmed_lsn < first.orders[1].confirmed_lsn


def test_instruments_are_those_of_the_policy(edge):
    listed = edge.call(edge.orders.ListInstruments, execution_pb2.ListInstrumentsRequest())
    assert [spec.symbol for spec in listed.instruments] == [SYMBOL]


def test_replay_is_dense_and_ends(edge):
    reports = edge.reports()
    assert [report.lsn for report in reports] == list(range(1, len(reports) + 1))
    assert reports[0].kind == report_pb2.RECORD_KIND_EPOCH
    request = execution_pb2.ReplayReportsRequest(from_lsn=2, to_lsn=3)
    assert [e.report.lsn for e in edge.orders.ReplayReports(request, timeout=5)] == [2, 3]
    request = execution_pb2.ReplayReportsRequest(from_lsn=3, to_lsn=2)
    with pytest.raises(grpc.RpcError) as fault:
        list(edge.orders.ReplayReports(request, timeout=5))
    assert fault.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_stream_goes_on_with_what_comes(edge):
    from_lsn = edge.describe().durable_lsn + 1
    stream = edge.orders.StreamReports(
        execution_pb2.StreamReportsRequest(from_lsn=from_lsn), timeout=20
    )
    lsn = edge.submit(edge.intent()).lsn
    for element in stream:
        if element.report.lsn == lsn:
            break
    stream.cancel()
    assert element.report.kind == report_pb2.RECORD_KIND_CONFIRMED


def test_a_lease_is_the_brains_alone(edge):
    request = control_pb2.GrantLeaseRequest(lease=edge.lease())
    with pytest.raises(TitanError) as fault:
        edge.call(edge.control.GrantLease, request, "operator")
    assert code_of(fault) == "ROLE_DENIED"
    granted = edge.grant(ttl_ms=5000)
    assert granted.state == NORMAL
    assert granted.durable_lsn == edge.describe().durable_lsn
    with pytest.raises(TitanError) as fault:
        edge.grant(lease_sequence=1)
    assert fault.value.field == "lease_sequence"


def test_anyone_halts_and_an_operators_halt_needs_one_signature(edge):
    answer = halt(edge)
    assert (answer.state, bool(answer.lsn)) == (HALTED, True)
    assert halt(edge).lsn == 0, "it was so already"
    with pytest.raises(TitanError) as fault:
        edge.submit(edge.intent())
    assert code_of(fault) == "TRADING_HALTED"
    for request in (
        resume(edge, answer.halt_epoch),
        resume(edge, answer.halt_epoch, "op-a", expires_ns=121_000_000_000),
        resume(edge, answer.halt_epoch, "op-a", expires_ns=-1),
    ):
        with pytest.raises(TitanError) as fault:
            edge.call(edge.control.SetTradingState, request)
        assert code_of(fault) == "SIGNATURES_MISSING"
    with pytest.raises(TitanError) as fault:
        edge.call(edge.control.SetTradingState, resume(edge, answer.halt_epoch - 1, "op-a"))
    assert fault.value.field == "halt_epoch"
    lifted = edge.call(
        edge.control.SetTradingState, resume(edge, answer.halt_epoch, "op-a", state=NORMAL)
    )
    assert lifted.state == DEFENSIVE, "never straight to NORMAL"


def test_a_loss_needs_two_operators(edge):
    answer = halt(edge, trading_state_pb2.BREAKER_CAUSE_LOSS)
    for operators in (("op-a",), ("op-a", "op-a")):
        with pytest.raises(TitanError) as fault:
            edge.call(edge.control.SetTradingState, resume(edge, answer.halt_epoch, *operators))
        assert code_of(fault) == "SIGNATURES_MISSING"
    lifted = edge.call(
        edge.control.SetTradingState, resume(edge, answer.halt_epoch, "op-a", "op-b")
    )
    assert lifted.state == DEFENSIVE


def test_the_brain_may_revoke_and_others_may_not(edge):
    request = control_pb2.SetTradingStateRequest(
        account="paper-main", state=DEFENSIVE, operator_id="brain", text="blind"
    )
    with pytest.raises(TitanError) as fault:
        edge.call(edge.control.SetTradingState, request)
    assert code_of(fault) == "SIGNATURES_MISSING"
    assert edge.call(edge.control.SetTradingState, request, "brain").state == DEFENSIVE
    with pytest.raises(TitanError) as fault:
        edge.submit(edge.intent())
    assert code_of(fault) == "LEASE_EXPIRED"


def test_flatten_ends_when_the_venue_says_flat(edge):
    edge.trade()
    resting = edge.intent(time_in_force=GTC, price_ticks=BID_TICKS - 10)
    edge.submit(resting)
    assert edge.position().position_lots > 0
    request = control_pb2.FlattenRequest(account="paper-main", operator_id="op-a", text="test")
    secret = keys.read_grpc_key(edge.mesh.home.root, "operator")
    metadata = [("authorization", keys.token_of("operator", secret))]
    answer = edge.control.Flatten(request, timeout=15, metadata=metadata)
    assert answer.flat, answer
    assert edge.position().position_lots == 0
    assert edge.describe().open_orders == 0
    order = edge.order(resting.intent_id)
    assert order.intent_state == order_pb2.INTENT_STATE_CANCELED


def test_the_brake_works_by_signal(edge):
    before = edge.describe().halt_epoch
    edge.mesh.signal("execution", signal.SIGUSR1)
    until("the halt is latched", lambda: edge.describe().halt_epoch > before)
    with edge.fastpath() as session:
        refused = session.submit(edge.intent())
    assert isinstance(refused, frames.Refused)
