"""Market data intake of the venue and what a new connection must be told of it.

Owns the last stamps of each symbol. Must never know orders: fills are handed to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping

from titan.venue.v1 import market_pb2
from titan_book import BookCode
from titan_mesh.errors import TitanError

from titan_market.venue.limits import SNAPSHOT_LEVELS
from titan_market.venue.matching import Market

Fills = list[tuple[int, int, int]]
_TAKEN = frozenset({BookCode.OK, BookCode.CROSSED, BookCode.IGNORED})


class Tape:
    """Applies a feed's events to the markets."""

    def __init__(self, markets: Mapping[str, Market]) -> None:
        self._markets = markets
        self._last: dict[str, market_pb2.MarketEvent] = {}

    def take(self, event: market_pb2.MarketEvent) -> Fills:
        """Fills that the event caused; a coded error when it does not fit."""
        market = self._markets.get(event.symbol)
        if market is None:
            raise _refusal("SYMBOL_UNKNOWN", "symbol", event.symbol, "an instrument of the venue")
        body = event.WhichOneof("body")
        if body == "public_trade":
            trade = event.public_trade
            return market.on_trade(trade.price_ticks, trade.qty_lots, trade.seller_is_taker)
        try:
            code, fills = self._book(market, event, body or "")
        except (ValueError, OverflowError) as fault:
            raise _refusal(
                "MARKET_EVENT_INVALID", body or "body", event.symbol, str(fault)
            ) from None
        if code not in _TAKEN:
            raise _refusal(
                f"BOOK_{BookCode(code).name}",
                "update_id",
                str(event.book_delta.update_id or event.book_snapshot.update_id),
                f"continues {market.update_id}",
            )
        self._last[event.symbol] = market_pb2.MarketEvent(
            symbol=event.symbol,
            event_time_ns=event.event_time_ns,
            recorded_ns=event.recorded_ns,
            event_boottime_ns=event.event_boottime_ns,
        )
        return fills

    @staticmethod
    def _book(market: Market, event: market_pb2.MarketEvent, body: str) -> tuple[int, Fills]:
        if body == "book_snapshot":
            book = event.book_snapshot
            return market.on_snapshot(
                book.update_id,
                book.bid_price_ticks,
                book.bid_qty_lots,
                book.ask_price_ticks,
                book.ask_qty_lots,
                event.event_boottime_ns,
            )
        if body == "book_delta":
            delta = event.book_delta
            return market.on_delta(
                delta.prev_update_id,
                delta.update_id,
                delta.bid_price_ticks,
                delta.bid_qty_lots,
                delta.ask_price_ticks,
                delta.ask_qty_lots,
                event.event_boottime_ns,
            )
        raise ValueError("no book_snapshot, book_delta or public_trade")

    def snapshots(self) -> list[market_pb2.MarketEvent]:
        """The present book of every live symbol, with the stamps of its last update."""
        answer = []
        for symbol, stamps in sorted(self._last.items()):
            market = self._markets[symbol]
            if not market.live:
                continue
            event = market_pb2.MarketEvent()
            event.CopyFrom(stamps)
            bid_ticks, bid_lots = market.depth(True, SNAPSHOT_LEVELS)
            ask_ticks, ask_lots = market.depth(False, SNAPSHOT_LEVELS)
            event.book_snapshot.update_id = market.update_id
            event.book_snapshot.bid_price_ticks.extend(bid_ticks)
            event.book_snapshot.bid_qty_lots.extend(bid_lots)
            event.book_snapshot.ask_price_ticks.extend(ask_ticks)
            event.book_snapshot.ask_qty_lots.extend(ask_lots)
            answer.append(event)
        return answer


def _refusal(code: str, field: str, value: str, limit: str) -> TitanError:
    return TitanError(
        code=code,
        message=f"{field} {value}: {limit}",
        field=field,
        value=value,
        limit=limit,
        hint="Send a snapshot first, then diffs that continue it.",
    )
