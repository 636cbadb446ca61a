"""Order types of the paper venue against a known book."""

import pytest
from titan.trading.v1 import order_pb2
from unit.titan_market.venue.rig import BUY, FOK, IOC, POST_ONLY, SELL, TRADER, Rig

MAKER, TAKER = order_pb2.LIQUIDITY_MAKER, order_pb2.LIQUIDITY_TAKER


def names(events):
    return [type(e).__name__ for e in events]


def test_a_marketable_order_takes_level_by_level_at_book_prices():
    rig = Rig()
    ack, first, second = rig.submit("a", BUY, 70, 1_005, tif=IOC)
    assert (ack.client_order_id, ack.venue_order_id) == ("a", first.venue_order_id)
    assert (first.qty_lots, first.price_ticks, first.liquidity) == (40, 1_001, TAKER)
    assert (second.qty_lots, second.price_ticks) == (30, 1_002)
    assert (second.cum_qty_lots, second.leaves_qty_lots) == (70, 0)
    assert first.trade_id != second.trade_id
    assert rig.state("a").ord_status == order_pb2.ORD_STATUS_FILLED
    assert rig.position() == 70


def test_what_was_taken_stays_taken_until_the_feed_changes_the_level():
    rig = Rig()
    rig.submit("a", BUY, 40, 1_001, tif=IOC)
    assert names(rig.submit("b", BUY, 5, 1_001, tif=IOC)) == ["OrderAck", "OrderCanceled"]
    rig.delta(asks=[(1_001, 8)])
    assert names(rig.submit("c", BUY, 5, 1_001, tif=IOC)) == ["OrderAck", "Trade"]


def test_ioc_ends_what_it_cannot_fill():
    rig = Rig()
    ack, fill, end = rig.submit("a", SELL, 80, 1_000, tif=IOC)
    assert (fill.qty_lots, fill.price_ticks, end.cum_qty_lots, end.expired) == (50, 1_000, 50, True)
    state = rig.state("a")
    assert (state.ord_status, state.leaves_qty_lots) == (order_pb2.ORD_STATUS_EXPIRED, 0)
    assert ack.venue_time_ns == rig.now.unix_ns


def test_market_order_stops_at_its_protection_price():
    rig = Rig()
    events = rig.submit("a", BUY, 500, 1_001, order_type=order_pb2.ORDER_TYPE_MARKET)
    assert names(events) == ["OrderAck", "Trade", "OrderCanceled"]
    assert events[1].qty_lots == 40


def test_gtc_rests_with_what_is_left():
    rig = Rig()
    ack, fill = rig.submit("a", BUY, 55, 1_001)
    assert (fill.qty_lots, fill.leaves_qty_lots) == (40, 15)
    state = rig.state("a")
    assert (state.ord_status, state.cum_qty_lots, state.leaves_qty_lots) == (
        order_pb2.ORD_STATUS_PARTIALLY_FILLED,
        40,
        15,
    )
    assert ack.client_order_id == "a"


def test_fok_fills_whole_or_is_refused():
    rig = Rig()
    (refused,) = rig.submit("a", BUY, 101, 1_002, tif=FOK)
    assert (refused.code, rig.position()) == ("-5021", 0)
    assert names(rig.submit("b", BUY, 100, 1_002, tif=FOK)) == ["OrderAck", "Trade", "Trade"]


def test_post_only_is_refused_when_it_would_take():
    rig = Rig()
    (refused,) = rig.submit("a", BUY, 5, 1_001, tif=POST_ONLY)
    assert refused.code == "-5022"
    assert names(rig.submit("b", BUY, 5, 1_000, tif=POST_ONLY)) == ["OrderAck"]


def test_a_resting_order_waits_for_the_queue_ahead():
    rig = Rig()
    rig.submit("a", BUY, 10, 1_000)
    assert rig.trade(1_000, 30, seller=True) == []
    assert rig.trade(1_000, 30, seller=False) == []  # the other side
    (event,) = rig.trade(1_000, 24, seller=True)  # 20 were ahead
    assert (event.trade.qty_lots, event.trade.price_ticks) == (4, 1_000)
    assert event.trade.liquidity == MAKER
    (event,) = rig.trade(1_000, 100, seller=True)
    assert (event.trade.qty_lots, event.trade.leaves_qty_lots) == (6, 0)


def test_a_level_that_shrinks_below_the_queue_shortens_it():
    rig = Rig()
    rig.submit("a", BUY, 10, 1_000)
    rig.delta(bids=[(1_000, 80)])  # joined behind us
    rig.delta(bids=[(1_000, 3)])
    (event,) = rig.trade(1_000, 5, seller=True)
    assert event.trade.qty_lots == 2


def test_a_trade_through_the_price_fills_at_the_own_price_up_to_its_size():
    rig = Rig()
    rig.submit("a", SELL, 10, 1_002)
    (event,) = rig.trade(1_003, 7, seller=False)
    assert (event.trade.qty_lots, event.trade.price_ticks) == (7, 1_002)


def test_one_trade_is_given_out_once_oldest_first():
    rig = Rig()
    rig.submit("a", BUY, 10, 1_000)
    rig.submit("b", BUY, 10, 1_000)
    events = rig.trade(1_000, 65, seller=True)
    assert [(e.trade.client_order_id, e.trade.qty_lots) for e in events] == [("a", 10), ("b", 5)]


def test_a_book_that_crosses_a_resting_order_fills_it():
    rig = Rig()
    rig.submit("a", BUY, 30, 1_000)
    (event,) = rig.delta(bids=[(1_000, 0), (999, 0), (998, 9)], asks=[(999, 12)])
    assert (event.trade.qty_lots, event.trade.price_ticks) == (12, 1_000)
    assert rig.state("a").leaves_qty_lots == 18


def test_fees_are_exact_to_the_nano_and_rounded_against_the_account():
    rig = Rig()
    _, fill = rig.submit("a", BUY, 7, 1_001, tif=IOC)
    assert fill.fee_nanos == 7 * 1_001 * 100_000 * 500 // 10**6  # 350,350 exactly
    rig.submit("b", BUY, 3, 1_000)
    (event,) = rig.trade(999, 3, seller=True)
    assert event.trade.fee_nanos == 3 * 1_000 * 100_000 * 200 // 10**6


def test_fee_rounding():
    from titan.trading.v1 import instrument_pb2
    from titan_market.venue.desk import fee_nanos

    spec = instrument_pb2.InstrumentSpec(notional_nanos_per_tick_lot=1)
    assert fee_nanos(spec, 1, 1_001, 500) == 1  # 0.5005 up
    assert fee_nanos(spec, 1, 2_001, 500) == 2  # 1.0005 up
    assert fee_nanos(spec, 1, 1_001, -500) == 0  # a rebate is rounded down


def test_cancel_and_cancel_all():
    rig = Rig()
    rig.submit("a", BUY, 10, 1_000)
    rig.submit("b", SELL, 10, 1_002)
    (event,) = rig.answer(cancel_order={"client_order_id": "a"})
    assert (event.order_canceled.client_order_id, event.order_canceled.expired) == ("a", False)
    (event,) = rig.answer(cancel_order={"client_order_id": "a"})
    assert event.cancel_reject.code == "-2011"
    (event,) = rig.answer(cancel_order={"client_order_id": "nobody"})
    assert event.cancel_reject.code == "-2011"
    ended, end = rig.answer(cancel_all_orders={})
    assert ended.order_canceled.client_order_id == "b"
    assert (end.query_end.count, end.query_end.complete) == (1, True)
    assert rig.trade(1_000, 500, seller=True) == []


def test_reduce_only_never_opens_a_position():
    rig = Rig()
    (refused,) = rig.submit("a", SELL, 5, 1_000, reduce_only=True)
    assert refused.code == "-2022"
    rig.submit("b", BUY, 10, 1_001, tif=IOC)
    assert names(rig.submit("c", SELL, 10, 1_003, reduce_only=True)) == ["OrderAck"]
    events = rig.submit("d", SELL, 4, 1_000, tif=IOC)
    assert names(events) == ["OrderAck", "Trade", "OrderCanceled"]
    assert (events[2].client_order_id, events[2].expired) == ("c", True)
    assert rig.position() == 6


def test_a_repeated_id_is_refused_for_ever_and_the_first_order_stands():
    rig = Rig()
    first = rig.submit("a", BUY, 10, 1_001, tif=IOC)
    (refused,) = rig.submit("a", BUY, 10, 1_001, tif=IOC)
    assert (refused.code, refused.text) == ("-2010", "Duplicate order sent.")
    assert rig.state("a").venue_order_id == first[0].venue_order_id
    assert rig.position() == 10


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"expires_boottime_ns": 1}, "-1021"),
        ({"symbol": "NOPE"}, "-1121"),
        ({"symbol": "BTCUSD_PERP"}, "-1121"),
        ({"side": 0}, "-1117"),
        ({"side": 9}, "-1117"),
        ({"order_type": 0}, "-1116"),
        ({"tif": 0}, "-1115"),
        ({"qty_lots": 0}, "-4005"),
        ({"qty_lots": 10_001}, "-4005"),
        ({"price_ticks": 0}, "-4013"),
        ({"price_ticks": -3}, "-4013"),
        ({"qty_lots": 1, "price_ticks": 1}, "-4164"),
        ({"client_order_id": ""}, "-1102"),
        ({"client_order_id": "x" * 37}, "-1102"),
    ],
)
def test_bad_requests_have_their_code_and_change_nothing(change, code):
    rig = Rig()
    (refused,) = rig.submit("a", BUY, 10, 1_001, **change)
    assert refused.code == code
    assert (rig.position(), rig.ledger.by_handle) == (0, {})
    assert rig.log.entries[-1].reject_code == code


def test_no_order_without_a_live_book():
    rig = Rig(book=False)
    (refused,) = rig.submit("a", BUY, 10, 1_001)
    assert refused.code == "-1001"
    assert rig.engine.role(TRADER) != 0
