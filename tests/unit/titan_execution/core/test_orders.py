"""The order table: every event in every state, positions from fills alone."""

from __future__ import annotations

import itertools

import pytest
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.trading.v1 import order_pb2
from titan.venue.v1 import venue_pb2
from titan_testkit.engine_rig import ASK, MS, EngineRig

STATUS = order_pb2.OrdStatus.Value
KIND = report_pb2.RecordKind.Value


@pytest.fixture
def rig():
    return EngineRig().open()


@pytest.fixture
def order(rig):
    """Five lots, sent, not answered."""
    intent = rig.intent(qty_lots=5, time_in_force=order_pb2.TIME_IN_FORCE_GTC)
    accepted = rig.submit(intent)
    assert isinstance(accepted, frames.Accepted)
    return accepted.client_order_id


def last(rig):
    rig.collect()
    return rig.records[-1]


def test_ack_then_fills_then_filled(rig, order):
    rig.ack(order)
    assert last(rig).ord_status == STATUS("ORD_STATUS_NEW")
    rig.trade(order, 2, 2, 3)
    assert last(rig).ord_status == STATUS("ORD_STATUS_PARTIALLY_FILLED")
    rig.trade(order, 3, 5, 0)
    report = last(rig)
    assert report.ord_status == STATUS("ORD_STATUS_FILLED")
    assert (report.cum_qty_lots, report.leaves_qty_lots, report.position_lots) == (5, 0, 5)
    symbol = rig.state()[1]
    assert symbol.cash_nanos == -5 * ASK * 100_000
    assert symbol.fee_nanos == 2_000
    assert symbol.open_buy_lots == 0


def test_a_fill_before_the_acknowledgement_implies_it(rig, order):
    rig.trade(order, 2, 2, 3)
    assert last(rig).ord_status == STATUS("ORD_STATUS_PARTIALLY_FILLED")
    count = len(rig.records)
    rig.ack(order)
    assert len(rig.kinds()) == count


def test_a_fill_after_the_cancel_is_real(rig, order):
    rig.ack(order)
    rig.canceled(order)
    rig.trade(order, 2, 2, 0)
    report = last(rig)
    assert report.kind == KIND("RECORD_KIND_FILL")
    assert report.ord_status == STATUS("ORD_STATUS_CANCELED")
    assert report.leaves_qty_lots == 0
    assert rig.state()[1].position_lots == 2
    assert rig.probe.counters()["late_fills"] == 1


def test_a_fill_is_applied_once_by_its_id(rig, order):
    rig.ack(order)
    rig.trade(order, 2, 2, 3, trade_id="same")
    rig.trade(order, 2, 2, 3, trade_id="same")
    assert rig.state()[1].position_lots == 2
    assert rig.probe.counters()["duplicate_fills"] == 1


def test_more_filled_than_ordered_halts_the_account(rig, order):
    rig.ack(order)
    rig.trade(order, 5, 5, 0)
    rig.trade(order, 1, 6, 0)
    assert rig.state()[1].position_lots == 6
    rig.tick()
    assert last(rig).kind == KIND("RECORD_KIND_HALT")
    assert rig.state()[0].state == 3


def test_a_definitive_reject_ends_the_order(rig, order):
    rig.rejected(order, "-2022")
    report = last(rig)
    assert report.kind == KIND("RECORD_KIND_VENUE_REJECT")
    assert report.venue_code == "-2022"
    assert rig.state()[1].open_buy_lots == 0


@pytest.mark.parametrize("code", ["-2010", "-1007", "999", ""])
def test_an_unlisted_code_is_no_refusal(rig, order, code):
    rig.rejected(order, code)
    assert last(rig).kind == KIND("RECORD_KIND_UNKNOWN")
    assert rig.state()[1].open_buy_lots == 5


def test_a_late_acknowledgement_of_a_rejected_order_adopts_and_cancels_it(rig, order):
    rig.rejected(order)
    rig.ack(order)
    assert KIND("RECORD_KIND_ADOPTED") in rig.kinds()
    assert last(rig).kind == KIND("RECORD_KIND_CANCEL_REQUEST")
    assert rig.pending("cancel_order")
    assert rig.state()[1].open_buy_lots == 5
    assert rig.probe.counters()["orphans"] == 1


def test_a_fill_of_a_rejected_order_counts(rig, order):
    rig.rejected(order)
    rig.trade(order, 2, 2, 3)
    kinds = rig.kinds()
    assert kinds[-3:] == [
        KIND("RECORD_KIND_ADOPTED"),
        KIND("RECORD_KIND_FILL"),
        KIND("RECORD_KIND_CANCEL_REQUEST"),
    ]
    assert rig.state()[1].position_lots == 2


def test_a_refused_cancel_puts_the_order_back_to_work_and_asks(rig):
    intent, client_order_id = rig.resting()
    rig.cancel(intent.intent_id)
    rig.venue(cancel_reject=venue_pb2.CancelReject(client_order_id=client_order_id, code="-2011"))
    report = last(rig)
    assert report.kind == KIND("RECORD_KIND_CANCEL_REJECT")
    assert report.ord_status == STATUS("ORD_STATUS_NEW")
    rig.tick(MS)
    assert rig.pending("query_order")


def test_a_fill_while_the_cancel_is_pending_keeps_it_pending(rig):
    intent, client_order_id = rig.resting(qty_lots=4)
    rig.cancel(intent.intent_id)
    rig.trade(client_order_id, 1, 1, 3)
    assert last(rig).ord_status == STATUS("ORD_STATUS_PENDING_CANCEL")
    rig.trade(client_order_id, 3, 4, 0)
    assert last(rig).ord_status == STATUS("ORD_STATUS_FILLED")
    rig.canceled(client_order_id, 4)
    assert last(rig).ord_status == STATUS("ORD_STATUS_FILLED")


def test_an_end_that_names_more_than_was_told_waits_for_the_fills(rig, order):
    rig.ack(order)
    rig.canceled(order, cum=2)
    assert rig.state()[1].open_buy_lots == 5
    rig.tick(MS)
    (query,) = rig.pending("query_order")
    state = venue_pb2.OrderState(
        client_order_id=order, found=True, ord_status=order_pb2.ORD_STATUS_CANCELED, cum_qty_lots=2
    )
    rig.venue(query.request_id, order_state=state)
    (query,) = rig.pending("query_trades")
    rig.trade(order, 2, 2, 0, request_id=query.request_id)
    rig.venue(query.request_id, query_end=venue_pb2.QueryEnd(count=1, complete=True))
    assert last(rig).ord_status == STATUS("ORD_STATUS_CANCELED")
    assert rig.state()[1].position_lots == 2
    assert rig.state()[1].open_buy_lots == 0


EVENTS = {
    "ack": lambda rig, order: rig.ack(order),
    "part": lambda rig, order: rig.trade(order, 2, 2, 3, trade_id="a"),
    "rest": lambda rig, order: rig.trade(order, 3, 5, 0, trade_id="b"),
    "again": lambda rig, order: rig.trade(order, 2, 2, 3, trade_id="a"),
    "end": lambda rig, order: rig.canceled(order, 0),
}


@pytest.mark.parametrize("order_of", list(itertools.permutations(EVENTS)))
def test_every_order_of_events_keeps_the_same_money(rig, order, order_of):
    for event in order_of:
        EVENTS[event](rig, order)
    symbol = rig.state()[1]
    assert symbol.position_lots == 5
    assert symbol.cash_nanos == -5 * ASK * 100_000
    assert symbol.open_buy_lots == 0
    assert rig.state()[0].open_orders == 0
    rig.tick()
    assert rig.state()[0].state == 1, "no permutation of honest events halts"


def test_an_event_of_an_order_that_is_not_ours_changes_nothing(rig):
    before = rig.host.state_hash()
    rig.ack("T1aaaaaaaaaaaaaaaaaaaaaaaa")
    rig.trade("not-ours", 1, 1, 0)
    assert rig.host.state_hash() == before
    assert rig.probe.counters()["stale_events"] == 2


def test_a_venues_words_cannot_spoil_the_record(rig, order):
    """Bytes that are no UTF-8 would make a report that the Brain cannot apply."""
    reject = venue_pb2.OrderReject(client_order_id=order, code="-2022", text="no XX margin\n")
    event = venue_pb2.VenueEvent(order_reject=reject).SerializeToString()
    rig.probe.venue(event.replace(b"XX", b"\xff\xfe"))
    report = last(rig)
    assert report.kind == KIND("RECORD_KIND_VENUE_REJECT")
    assert report.text == "no ?? margin?"
