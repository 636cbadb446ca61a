"""Market events as the importers and the synthetic market give them: typed, integer, no I/O.

Owns the vocabulary between sources and the feed. Must never know protobuf, sockets or a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

Levels = list[tuple[int, int]]
"""(price_ticks, qty_lots) pairs; 0 lots deletes."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole book as of update_id."""

    symbol: str
    recorded_ns: int
    venue_ns: int
    update_id: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class DepthDiff:
    """Changes first_update_id .. update_id (U, u) after prev_update_id (pu; 0 where none)."""

    symbol: str
    recorded_ns: int
    venue_ns: int
    first_update_id: int
    update_id: int
    prev_update_id: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class TradePrint:
    """A public trade."""

    symbol: str
    recorded_ns: int
    venue_ns: int
    trade_id: int
    price_ticks: int
    qty_lots: int
    seller_is_taker: bool


@dataclass(frozen=True, slots=True)
class BookTicker:
    """The venue's own best bid and ask as of update_id: what rebuilt books are checked with."""

    symbol: str
    recorded_ns: int
    venue_ns: int
    update_id: int
    bid: tuple[int, int]
    ask: tuple[int, int]


MarketEvent = Snapshot | DepthDiff | TradePrint | BookTicker
