"""UNKNOWN ends only by what the venue says; reconciliation after every logon."""

from __future__ import annotations

import pytest
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.trading.v1 import order_pb2
from titan.venue.v1 import venue_pb2
from titan_testkit.engine_rig import MS, SYMBOL, EngineRig

KIND = report_pb2.RecordKind.Value
STATE = order_pb2.IntentState.Value
FENCE_NS = 50 * MS
LAG_NS = 10 * MS


@pytest.fixture
def rig():
    return EngineRig().open()


@pytest.fixture
def sent(rig):
    """(intent, client order id) of an order without an answer."""
    intent = rig.intent(qty_lots=5, time_in_force=order_pb2.TIME_IN_FORCE_GTC)
    accepted = rig.submit(intent)
    assert isinstance(accepted, frames.Accepted)
    rig.pending("submit_order")
    return intent, accepted.client_order_id


def state_of(rig, intent):
    return order_pb2.IntentState.Name(rig.status(intent.intent_id).state)


def not_found(rig, request, order):
    rig.venue(request.request_id, order_state=venue_pb2.OrderState(client_order_id=order))


def found(rig, request, order, status, cum=0):
    state = venue_pb2.OrderState(
        client_order_id=order, found=True, ord_status=status, cum_qty_lots=cum, venue_order_id="P9"
    )
    rig.venue(request.request_id, order_state=state)


def lose_link(rig):
    rig.probe.link_down()
    rig.collect()
    rig.logon()
    rig.tick()


def test_silence_beyond_the_fence_makes_an_order_unknown(rig, sent):
    intent, _order = sent
    rig.tick(FENCE_NS + 999 * MS)
    assert state_of(rig, intent) == "INTENT_STATE_SENDING"
    rig.tick(MS)
    assert state_of(rig, intent) == "INTENT_STATE_UNKNOWN"
    assert rig.pending("query_order")
    assert rig.state()[1].open_buy_lots == 5


def test_a_lost_link_makes_unanswered_sends_unknown_and_asks(rig, sent):
    intent, order = sent
    lose_link(rig)
    assert state_of(rig, intent) == "INTENT_STATE_UNKNOWN"
    (query,) = rig.pending("query_order")
    assert query.query_order.client_order_id == order
    assert not rig.pending("submit_order")


def test_not_found_before_the_fence_is_no_evidence(rig, sent):
    intent, order = sent
    lose_link(rig)
    (query,) = rig.pending("query_order")
    rig.step(FENCE_NS - MS)
    not_found(rig, query, order)
    assert KIND("RECORD_KIND_QUERY_EVIDENCE") not in rig.kinds()
    assert state_of(rig, intent) == "INTENT_STATE_UNKNOWN"


def test_two_answers_a_visibility_lag_apart_after_the_fence_end_it(rig, sent):
    intent, order = sent
    lose_link(rig)
    not_found(rig, rig.pending("query_order")[0], order)
    rig.tick(FENCE_NS)
    not_found(rig, rig.pending("query_order")[0], order)
    assert state_of(rig, intent) == "INTENT_STATE_UNKNOWN"
    rig.tick(LAG_NS - 1)
    assert not rig.pending("query_order"), "the second look comes a visibility lag later"
    rig.tick(1)
    not_found(rig, rig.pending("query_order")[0], order)
    assert state_of(rig, intent) == "INTENT_STATE_NOT_PLACED"
    kinds = rig.kinds()
    assert kinds.count(KIND("RECORD_KIND_QUERY_EVIDENCE")) == 2
    assert kinds[-1] == KIND("RECORD_KIND_NOT_PLACED")
    assert rig.state()[1].open_buy_lots == 0
    assert not rig.pending("submit_order"), "never resent"


def test_failed_partial_and_lost_answers_prove_nothing(rig, sent):
    intent, _order = sent
    lose_link(rig)
    rig.tick(FENCE_NS)
    for _ in range(20):
        for query in rig.pending("query_order"):
            rig.venue(query.request_id, query_end=venue_pb2.QueryEnd(complete=False, error="busy"))
        rig.tick(1_000 * MS)
    assert state_of(rig, intent) == "INTENT_STATE_UNKNOWN"
    assert KIND("RECORD_KIND_QUERY_EVIDENCE") not in rig.kinds()
    for _ in range(20):
        rig.tick(1_000 * MS)
    assert state_of(rig, intent) == "INTENT_STATE_UNKNOWN"
    assert len(rig.pending("query_order")) >= 5, "asked again and again"
    assert rig.state()[1].open_buy_lots == 5


def test_found_open_is_adopted_as_live(rig, sent):
    intent, order = sent
    lose_link(rig)
    found(rig, rig.pending("query_order")[0], order, order_pb2.ORD_STATUS_NEW)
    assert state_of(rig, intent) == "INTENT_STATE_LIVE"
    report = rig.records[-1]
    assert report.kind == KIND("RECORD_KIND_VENUE_ACK")
    assert report.restated
    assert report.venue_order_id == "P9"


def test_found_filled_pulls_the_fills_first(rig, sent):
    intent, order = sent
    lose_link(rig)
    found(rig, rig.pending("query_order")[0], order, order_pb2.ORD_STATUS_FILLED, cum=5)
    (query,) = rig.pending("query_trades")
    rig.trade(order, 2, 2, 3, request_id=query.request_id)
    rig.trade(order, 3, 5, 0, request_id=query.request_id)
    rig.venue(query.request_id, query_end=venue_pb2.QueryEnd(count=2, complete=True))
    assert state_of(rig, intent) == "INTENT_STATE_FILLED"
    assert rig.state()[1].position_lots == 5
    assert rig.records[-1].restated


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (order_pb2.ORD_STATUS_REJECTED, "INTENT_STATE_REJECTED"),
        (order_pb2.ORD_STATUS_CANCELED, "INTENT_STATE_CANCELED"),
        (order_pb2.ORD_STATUS_EXPIRED, "INTENT_STATE_CANCELED"),
    ],
)
def test_found_ended_ends_it(rig, sent, status, state):
    intent, order = sent
    lose_link(rig)
    found(rig, rig.pending("query_order")[0], order, status)
    assert state_of(rig, intent) == state


def test_late_evidence_reverses_not_placed(rig, sent):
    intent, order = sent
    lose_link(rig)
    rig.tick(FENCE_NS)
    for _ in range(2):
        for query in rig.pending("query_order"):
            not_found(rig, query, order)
        rig.tick(FENCE_NS)
    for query in rig.pending("query_order"):
        not_found(rig, query, order)
    assert state_of(rig, intent) == "INTENT_STATE_NOT_PLACED"
    rig.trade(order, 2, 2, 3)
    assert rig.state()[1].position_lots == 2
    assert KIND("RECORD_KIND_ADOPTED") in rig.kinds()
    assert rig.pending("cancel_order"), "a bound of the venue was wrong: the rest is cancelled"


def test_an_acknowledgement_that_comes_late_ends_the_doubt(rig, sent):
    intent, order = sent
    rig.tick(FENCE_NS + 1_000 * MS)
    rig.ack(order)
    assert state_of(rig, intent) == "INTENT_STATE_LIVE"


def test_new_risk_waits_until_the_venue_is_reconciled(rig):
    _intent, order = rig.resting()
    lose_link(rig)
    rig.book()
    refused = rig.prepare(rig.intent())
    assert refused.rejection.field == "venue.reconciled"
    found(rig, rig.pending("query_order")[0], order, order_pb2.ORD_STATUS_NEW)
    rig.reconcile()
    assert rig.prepare(rig.intent()).token


def test_questions_are_asked_in_bounded_pages():
    rig = EngineRig(
        lambda p: (
            p["instruments"][0].update(max_open_orders=4096),
            p["account"].update(max_messages_per_second=1_000_000),
        )
    ).open()
    orders = [rig.resting(qty_lots=2)[1] for _ in range(100)]
    lose_link(rig)
    first = rig.pending("query_order")
    assert len(first) == 64
    for query in first:
        order = query.query_order.client_order_id
        found(rig, query, order, order_pb2.ORD_STATUS_NEW)
    rig.tick(2 * MS)
    second = rig.pending("query_order")
    assert {q.query_order.client_order_id for q in (*first, *second)} == set(orders)


def test_the_same_difference_twice_halts(rig):
    rig.positions[SYMBOL] = 3
    rig.tick(500 * MS)
    rig.reconcile()
    assert rig.state()[0].state == 1
    rig.tick(50 * MS)
    rig.reconcile()
    rig.tick()
    state, symbol = rig.state()
    assert state.state == 3
    assert (symbol.venue_position_lots, symbol.comparable) == (3, 1)
    assert rig.kinds()[-1] == KIND("RECORD_KIND_HALT")


def test_a_difference_while_an_order_is_in_flight_is_not_comparable(rig, sent):
    rig.positions[SYMBOL] = 3
    for _ in range(4):
        rig.tick(500 * MS)
        rig.reconcile()
    assert rig.state()[0].halt_epoch == 0
    assert rig.state()[1].comparable == 0


def test_a_foreign_order_is_recorded_once_a_logon(rig):
    lose_link(rig)
    rig.tick(MS)
    (query,) = rig.pending("query_open_orders")
    foreign = venue_pb2.OrderState(
        client_order_id="manual-1", found=True, ord_status=order_pb2.ORD_STATUS_NEW, symbol=SYMBOL
    )
    rig.venue(query.request_id, order_state=foreign)
    rig.venue(query.request_id, query_end=venue_pb2.QueryEnd(count=1, complete=True))
    assert rig.kinds()[-1] == KIND("RECORD_KIND_EXTERNAL")
    assert rig.probe.counters()["external_orders"] == 1


def test_a_cancel_may_be_sent_again_an_order_never(rig):
    intent, order = rig.resting()
    rig.cancel(intent.intent_id)
    rig.pending("cancel_order")
    rig.pending("submit_order")
    lose_link(rig)
    found(rig, rig.pending("query_order")[0], order, order_pb2.ORD_STATUS_NEW)
    assert rig.pending("cancel_order")
    assert not rig.pending("submit_order")
