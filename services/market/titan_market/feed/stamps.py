"""Feed events as messages of the venue socket and of the bus, stamped with now.

Owns the two wire forms. Must never pace or send.
"""

from __future__ import annotations

from typing import NamedTuple

from titan.marketdata.v1 import market_data_pb2
from titan.venue.v1 import market_pb2

from titan_market.events import Levels, Snapshot, TradePrint
from titan_market.feed.source import FeedEvent

BusMessage = market_data_pb2.BookUpdate | market_data_pb2.TradePrint


class Stamp(NamedTuple):
    """Now of this run; the bus has no BOOTTIME because its readers may be elsewhere."""

    event_time_ns: int
    event_boottime_ns: int


def stamp_now(event: FeedEvent, unix_ns: int, boottime_ns: int, keep_skew: bool) -> Stamp:
    """The feed's now; with keep_skew off by what the recorder's clock was off the venue's."""
    skew = event.venue_ns - event.recorded_ns if keep_skew else 0
    return Stamp(unix_ns + skew, boottime_ns + skew)


def _columns(levels: Levels) -> tuple[list[int], list[int]]:
    return [ticks for ticks, _ in levels], [lots for _, lots in levels]


def venue_message(event: FeedEvent, stamp: Stamp) -> market_pb2.MarketEvent:
    """For the venue socket."""
    message = market_pb2.MarketEvent(
        symbol=event.symbol,
        event_time_ns=stamp.event_time_ns,
        recorded_ns=event.recorded_ns,
        event_boottime_ns=stamp.event_boottime_ns,
    )
    if isinstance(event, TradePrint):
        message.public_trade.price_ticks = event.price_ticks
        message.public_trade.qty_lots = event.qty_lots
        message.public_trade.seller_is_taker = event.seller_is_taker
        message.public_trade.trade_id = event.trade_id
        return message
    book: market_pb2.BookSnapshot | market_pb2.BookDelta
    if isinstance(event, Snapshot):
        book = message.book_snapshot
    else:
        book = message.book_delta
        book.prev_update_id = event.prev_update_id
    book.update_id = event.update_id
    ticks, lots = _columns(event.bids)
    book.bid_price_ticks.extend(ticks)
    book.bid_qty_lots.extend(lots)
    ticks, lots = _columns(event.asks)
    book.ask_price_ticks.extend(ticks)
    book.ask_qty_lots.extend(lots)
    return message


def bus_message(event: FeedEvent, stamp: Stamp, venue: str) -> BusMessage:
    """For titan.marketdata.*; the bus needs no BOOTTIME, its readers use recorded_ns."""
    if isinstance(event, TradePrint):
        return market_data_pb2.TradePrint(
            venue=venue,
            symbol=event.symbol,
            event_time_ns=stamp.event_time_ns,
            recorded_ns=event.recorded_ns,
            price_ticks=event.price_ticks,
            qty_lots=event.qty_lots,
            seller_is_taker=event.seller_is_taker,
            trade_id=event.trade_id,
        )
    snapshot = isinstance(event, Snapshot)
    bid_ticks, bid_lots = _columns(event.bids)
    ask_ticks, ask_lots = _columns(event.asks)
    return market_data_pb2.BookUpdate(
        venue=venue,
        symbol=event.symbol,
        event_time_ns=stamp.event_time_ns,
        recorded_ns=event.recorded_ns,
        snapshot=snapshot,
        prev_update_id=0 if isinstance(event, Snapshot) else event.prev_update_id,
        update_id=event.update_id,
        bid_price_ticks=bid_ticks,
        bid_qty_lots=bid_lots,
        ask_price_ticks=ask_ticks,
        ask_qty_lots=ask_lots,
    )
