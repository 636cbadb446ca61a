"""A venue engine on a table: a book, a clock that is a number, and short words for requests."""

from __future__ import annotations

import random

from titan.trading.v1 import instrument_pb2, order_pb2
from titan.venue.v1 import order_log_pb2, venue_pb2
from titan_market.venue.engine import Outgoing, VenueEngine
from titan_market.venue.faults import LatencyModel
from titan_market.venue.ledger import Ledger
from titan_market.venue.moments import Moment

TRADER, FEED, ADMIN = 1, 2, 3
BUY, SELL = order_pb2.SIDE_BUY, order_pb2.SIDE_SELL
GTC, IOC = order_pb2.TIME_IN_FORCE_GTC, order_pb2.TIME_IN_FORCE_IOC
FOK, POST_ONLY = order_pb2.TIME_IN_FORCE_FOK, order_pb2.TIME_IN_FORCE_POST_ONLY

SPECS = {
    symbol: instrument_pb2.InstrumentSpec(
        venue="paper",
        symbol=symbol,
        version=1,
        kind=kind,
        tick_size="0.10",
        lot_size="0.001",
        min_qty_lots=1,
        max_qty_lots=10_000,
        min_notional="0.001",
        notional_nanos_per_tick_lot=100_000,
        maker_fee_ppm=200,
        taker_fee_ppm=500,
    )
    for symbol, kind in (
        ("BTCUSDT", instrument_pb2.CONTRACT_KIND_LINEAR),
        ("BTCUSD_PERP", instrument_pb2.CONTRACT_KIND_INVERSE),
    )
}


class MemoryLog:
    """Keeps entries in a list."""

    def __init__(self) -> None:
        self.entries: list[order_log_pb2.OrderLogEntry] = []

    def append(self, entry: order_log_pb2.OrderLogEntry) -> None:
        self.entries.append(order_log_pb2.OrderLogEntry.FromString(entry.SerializeToString()))

    def flush(self) -> None:
        """Nothing waits."""


class Rig:
    """Bids 1,000 x 50 lots and 999 x 70; asks 1,001 x 40 and 1,002 x 60."""

    def __init__(self, latency: LatencyModel | None = None, book: bool = True) -> None:
        self.log = MemoryLog()
        self.ledger = Ledger()
        self.engine = VenueEngine(
            SPECS, self.ledger, self.log, latency or LatencyModel(), random.Random(1)
        )
        self.boottime_ns = 1_000_000
        self.requests = 0
        self.update_id = 100
        self.engine.start(self.now)
        for connection, role in (
            (TRADER, venue_pb2.CONNECTION_ROLE_TRADING),
            (FEED, venue_pb2.CONNECTION_ROLE_FEED),
            (ADMIN, venue_pb2.CONNECTION_ROLE_ADMIN),
        ):
            self.ask(connection, logon=venue_pb2.Logon(role=role, account="main"))
        if book:
            self.snapshot([(1_000, 50), (999, 70)], [(1_001, 40), (1_002, 60)])

    @property
    def now(self) -> Moment:
        return Moment(self.boottime_ns + 10**18, self.boottime_ns)

    def ask(self, connection: int = TRADER, **body) -> list[Outgoing]:
        self.requests += 1
        request = venue_pb2.VenueRequest(request_id=self.requests, **body)
        return self.engine.handle(connection, request, self.now)

    def answer(self, connection: int = TRADER, **body) -> list[venue_pb2.VenueEvent]:
        return [out.event for out in self.ask(connection, **body)]

    def submit(self, name: str, side: int, qty: int, price: int, /, **more):
        """Bodies of the events that the request caused."""
        tif = more.pop("tif", GTC)
        fields = {
            "client_order_id": name,
            "symbol": "BTCUSDT",
            "side": side,
            "order_type": order_pb2.ORDER_TYPE_LIMIT,
            "time_in_force": tif,
            "qty_lots": qty,
            "price_ticks": price,
            "signed_boottime_ns": self.boottime_ns,
            "expires_boottime_ns": self.boottime_ns + 10**9,
        } | more
        events = self.answer(submit_order=venue_pb2.SubmitOrder(**fields))
        return [getattr(e, e.WhichOneof("body")) for e in events]

    def snapshot(self, bids, asks, symbol: str = "BTCUSDT"):
        self.update_id += 1
        return self.market(
            symbol,
            book_snapshot={
                "update_id": self.update_id,
                "bid_price_ticks": [t for t, _ in bids],
                "bid_qty_lots": [n for _, n in bids],
                "ask_price_ticks": [t for t, _ in asks],
                "ask_qty_lots": [n for _, n in asks],
            },
        )

    def delta(self, bids=(), asks=()):
        self.update_id += 1
        return self.market(
            book_delta={
                "prev_update_id": self.update_id - 1,
                "update_id": self.update_id,
                "bid_price_ticks": [t for t, _ in bids],
                "bid_qty_lots": [n for _, n in bids],
                "ask_price_ticks": [t for t, _ in asks],
                "ask_qty_lots": [n for _, n in asks],
            },
        )

    def trade(self, ticks: int, lots: int, seller: bool):
        return self.market(
            public_trade={"price_ticks": ticks, "qty_lots": lots, "seller_is_taker": seller}
        )

    def market(self, symbol: str = "BTCUSDT", **body) -> list[venue_pb2.VenueEvent]:
        """Events for the trading connection that a market event caused."""
        event = {"symbol": symbol, "event_time_ns": 1, "event_boottime_ns": self.boottime_ns}
        return self.answer(FEED, market_event=event | body)

    def state(self, name: str) -> venue_pb2.OrderState:
        (event,) = self.answer(query_order={"client_order_id": name})
        return event.order_state

    def position(self) -> int:
        return self.ledger.position_lots("main", "BTCUSDT")
