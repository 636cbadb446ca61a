"""Roles, queries, latency and faults of the venue engine; restart from its log."""

import random

import pytest
from titan.trading.v1 import order_pb2
from titan.venue.v1 import order_log_pb2, venue_pb2
from titan_market.venue.engine import VenueEngine
from titan_market.venue.faults import LatencyModel
from titan_market.venue.ledger import Ledger
from titan_mesh.errors import TitanError
from unit.titan_market.venue.rig import ADMIN, BUY, FEED, IOC, SELL, SPECS, TRADER, MemoryLog, Rig


def test_the_first_request_is_a_logon_and_only_once():
    rig = Rig()
    (event,) = rig.answer(9, query_positions={})
    assert event.request_refused.code == "LOGON_REQUIRED"
    (event,) = rig.answer(TRADER, logon={"role": "CONNECTION_ROLE_TRADING", "account": "main"})
    assert event.request_refused.code == "LOGON_REPEATED"
    (event,) = rig.answer(9, logon={"account": "main"})
    assert event.request_refused.code == "ROLE_UNKNOWN"
    (event,) = rig.answer(9, logon={"role": "CONNECTION_ROLE_TRADING"})
    assert event.request_refused.code == "ACCOUNT_INVALID"


@pytest.mark.parametrize(
    ("connection", "body"),
    [
        (FEED, {"query_positions": {}}),
        (ADMIN, {"submit_order": {"client_order_id": "a"}}),
        (TRADER, {"set_faults": {}}),
        (TRADER, {"market_event": {"symbol": "BTCUSDT"}}),
    ],
)
def test_a_role_can_do_only_its_own(connection, body):
    rig = Rig()
    (event,) = rig.answer(connection, **body)
    assert event.request_refused.code == "ROLE_NOT_ALLOWED"
    (event,) = rig.answer(connection)
    assert event.request_refused.code == "REQUEST_EMPTY"


def test_queries_answer_with_elements_and_an_end():
    rig = Rig()
    rig.submit("a", BUY, 70, 1_005, tif=IOC)
    rig.submit("b", SELL, 9, 1_010)
    assert not rig.state("nobody").found
    opened = rig.answer(query_open_orders={})
    assert [e.WhichOneof("body") for e in opened] == ["order_state", "query_end"]
    assert opened[0].order_state.client_order_id == "b"
    fills = rig.answer(query_trades={"client_order_id": "a"})
    assert [e.trade.qty_lots for e in fills[:-1]] == [40, 30]
    assert all(e.trade.replayed for e in fills[:-1])
    assert (fills[-1].query_end.count, fills[-1].query_end.complete) == (2, True)
    position, end = rig.answer(query_positions={})
    assert (position.position.symbol, position.position.position_lots) == ("BTCUSDT", 70)
    assert end.request_id == rig.requests


def test_own_events_reach_every_connection_of_the_account_and_no_other():
    rig = Rig()
    rig.ask(7, logon={"role": "CONNECTION_ROLE_TRADING", "account": "main"})
    rig.ask(8, logon={"role": "CONNECTION_ROLE_TRADING", "account": "other"})
    out = rig.ask(
        submit_order={
            "client_order_id": "a",
            "symbol": "BTCUSDT",
            "side": BUY,
            "order_type": 1,
            "time_in_force": 1,
            "qty_lots": 5,
            "price_ticks": 1_000,
            "expires_boottime_ns": rig.boottime_ns + 5,
        }
    )
    assert [(o.connection, o.event.request_id) for o in out] == [(TRADER, rig.requests), (7, 0)]


def test_answers_are_delayed_by_the_seeded_latency_and_an_order_keeps_its_order():
    rig = Rig(LatencyModel(ack_delay_ns=1_000, ack_jitter_ns=500))
    rig.submit("a", BUY, 10, 1_000)
    due = rig.ledger.find("main", "a").answer_due_boottime_ns
    assert rig.boottime_ns + 1_000 <= due <= rig.boottime_ns + 1_500
    (out,) = rig.ask(
        FEED,
        market_event={
            "symbol": "BTCUSDT",
            "public_trade": {"price_ticks": 999, "qty_lots": 3, "seller_is_taker": True},
        },
    )
    assert (out.event.WhichOneof("body"), out.due_boottime_ns) == ("trade", due)
    again = Rig(LatencyModel(ack_delay_ns=1_000, ack_jitter_ns=500))
    again.submit("a", BUY, 10, 1_000)
    assert again.ledger.find("main", "a").answer_due_boottime_ns == due


def test_fault_knobs():
    rig = Rig()
    (done,) = rig.answer(ADMIN, set_faults={"drop_replies": 1, "reject_next": 1, "fail_queries": 1})
    assert done.query_end.complete
    (refused,) = rig.submit("r", BUY, 10, 1_001, tif=IOC)
    assert refused.code == "-1"
    assert rig.submit("d", BUY, 10, 1_001, tif=IOC) == []
    assert rig.position() == 10
    (failed,) = rig.answer(query_order={"client_order_id": "d"})
    assert not failed.query_end.complete
    assert failed.query_end.error
    assert rig.state("d").ord_status == order_pb2.ORD_STATUS_FILLED
    (refused,) = rig.answer(ADMIN, set_faults={"ack_delay_ns": -1})
    assert refused.request_refused.code == "FAULT_INVALID"
    out = rig.ask(ADMIN, set_faults={"disconnect_now": True})
    assert [(o.connection, o.event is None) for o in out] == [(ADMIN, False), (TRADER, True)]


def test_visibility_lag_hides_orders_and_fills_from_queries():
    rig = Rig()
    rig.ask(ADMIN, set_faults={"visibility_lag_ns": 1_000})
    rig.submit("a", BUY, 55, 1_001)
    assert not rig.state("a").found
    rig.boottime_ns += 1_000
    rig.trade(999, 5, seller=True)
    state = rig.state("a")
    assert (state.found, state.cum_qty_lots, state.leaves_qty_lots) == (True, 40, 15)
    rig.boottime_ns += 1_000
    assert rig.state("a").cum_qty_lots == 45


def test_market_data_reaches_listeners_and_a_late_one_gets_the_book_first():
    rig = Rig()
    rig.submit("a", BUY, 10, 1_001, tif=IOC)
    out = rig.ask(
        7, logon={"role": "CONNECTION_ROLE_TRADING", "account": "main", "market_data": True}
    )
    assert [o.event.WhichOneof("body") for o in out] == ["logon_accepted", "market_event"]
    book = out[1].event.market_event.book_snapshot
    assert (book.update_id, list(book.ask_qty_lots)) == (101, [30, 60])
    rig.delta(bids=[(1_000, 3)])
    out = rig.ask(
        FEED,
        market_event={"symbol": "BTCUSDT", "book_delta": {"prev_update_id": 102, "update_id": 103}},
    )
    assert [(o.connection, o.event.market_event.book_delta.update_id) for o in out] == [(7, 103)]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"symbol": "NOPE"}, "SYMBOL_UNKNOWN"),
        ({"symbol": "BTCUSDT"}, "MARKET_EVENT_INVALID"),
        ({"symbol": "BTCUSDT", "book_delta": {"prev_update_id": 7, "update_id": 900}}, "BOOK_GAP"),
        (
            {
                "symbol": "BTCUSDT",
                "book_delta": {"prev_update_id": 101, "update_id": 102, "bid_price_ticks": [1]},
            },
            "MARKET_EVENT_INVALID",
        ),
        (
            {
                "symbol": "BTCUSDT",
                "book_delta": {
                    "prev_update_id": 101,
                    "update_id": 102,
                    "bid_price_ticks": [-1],
                    "bid_qty_lots": [1],
                },
            },
            "BOOK_BAD_LEVEL",
        ),
    ],
)
def test_market_events_that_do_not_fit_are_refused(event, code):
    rig = Rig()
    (refused,) = rig.answer(FEED, market_event=event)
    assert refused.request_refused.code == code


def _busy_rig() -> Rig:
    rng = random.Random(11)
    rig = Rig()
    for n in range(400):
        rig.boottime_ns += 1_000
        kind = rng.randrange(5)
        if kind < 2:
            rig.submit(
                f"o{n}",
                rng.choice((BUY, SELL)),
                rng.randint(1, 60),
                rng.randint(996, 1_005),
                tif=rng.randint(1, 4),
                reduce_only=rng.random() < 0.2,
            )
        elif kind == 2:
            rig.trade(rng.randint(996, 1_005), rng.randint(1, 90), rng.random() < 0.5)
        elif kind == 3:
            bid = rng.randint(996, 1_003)
            rig.snapshot(
                [(bid - i, rng.randint(1, 80)) for i in range(4)],
                [(bid + 1 + i, rng.randint(1, 80)) for i in range(4)],
            )
        else:
            rig.ask(cancel_order={"client_order_id": f"o{rng.randrange(n + 1)}"})
    return rig


def test_a_restart_from_the_log_equals_the_state_before():
    rig = _busy_rig()
    restarted = Ledger()
    for entry in rig.log.entries:
        restarted.apply(entry)
    assert restarted.sequence == rig.ledger.sequence
    assert restarted.positions == rig.ledger.positions
    assert list(restarted.by_handle) == list(rig.ledger.by_handle)
    assert restarted.reducing == rig.ledger.reducing
    kinds = {entry.kind for entry in rig.log.entries}
    assert len(kinds) == 5
    for key, order in rig.ledger.orders.items():
        again = restarted.orders[key]
        order.answer_due_boottime_ns = again.answer_due_boottime_ns = 0
        assert again == order
    assert sum(order.leaves_qty_lots for order in restarted.by_handle.values()) > 0


def test_a_restarted_venue_opens_a_new_epoch_and_its_orders_fill_on():
    rig = _busy_rig()
    ledger, log = Ledger(), MemoryLog()
    for entry in rig.log.entries:
        ledger.apply(entry)
    engine = VenueEngine(SPECS, ledger, log, LatencyModel(), random.Random(1))
    engine.start(rig.now)
    assert (ledger.epoch, log.entries[0].venue_epoch) == (2, 2)
    assert log.entries[0].sequence == rig.ledger.sequence + 1
    assert engine.desk.markets["BTCUSDT"].resting_count == len(rig.ledger.by_handle)


def test_after_a_restart_orders_queue_behind_what_the_next_book_shows():
    rig = Rig()
    rig.submit("a", BUY, 10, 1_000)
    handle = rig.ledger.find("main", "a").handle
    again = Rig(book=False)
    for entry in rig.log.entries[1:]:
        again.ledger.apply(entry)
    again.engine.desk.start(again.now)
    market = again.engine.desk.markets["BTCUSDT"]
    assert again.trade(1_000, 90, seller=True) == []
    again.snapshot([(1_000, 35)], [(1_001, 5)])
    assert market.queue_ahead(handle) == 35
    (event,) = again.trade(1_000, 40, seller=True)
    assert event.trade.qty_lots == 5


def test_the_same_requests_give_the_same_log():
    def written(rig: Rig) -> list[bytes]:
        return [entry.SerializeToString() for entry in rig.log.entries]

    assert written(_busy_rig()) == written(_busy_rig())


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"sequence": 9}, "LOG_SEQUENCE"),
        ({"sequence": 2}, "LOG_KIND"),
        ({"sequence": 2, "kind": order_log_pb2.ORDER_LOG_KIND_TRADE}, "LOG_ORDER"),
    ],
)
def test_a_log_that_does_not_follow_is_refused(entry, code):
    ledger = Ledger()
    ledger.apply(
        order_log_pb2.OrderLogEntry(
            sequence=1, kind=order_log_pb2.ORDER_LOG_KIND_START, venue_epoch=1
        )
    )
    with pytest.raises(TitanError) as fault:
        ledger.apply(order_log_pb2.OrderLogEntry(**entry))
    assert fault.value.code == code


def test_every_fill_conserves_lots():
    rig = _busy_rig()
    for order in rig.ledger.orders.values():
        assert order.cum_qty_lots == sum(t.qty_lots for t in order.trades)
        assert order.cum_qty_lots <= order.request.qty_lots
        prices = [t.price_ticks for t in order.trades]
        worst = order.request.price_ticks
        assert all(p <= worst if order.buys else p >= worst for p in prices)
    ids = [t.trade_id for o in rig.ledger.orders.values() for t in o.trades]
    assert len(ids) == len(set(ids)) > 50
    assert isinstance(rig.engine.role(TRADER), int)
    assert rig.engine.role(TRADER) == venue_pb2.CONNECTION_ROLE_TRADING
