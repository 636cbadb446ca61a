"""The L2 book as a strategy sees it: plain Python, built from the bus's updates.

Owns continuity (a gap takes the book offline until the next snapshot) and the best prices. Must
never know protobuf,
a wall clock, or an order: Execution prices orders on its own compiled book, not on this view.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Protocol

Level = tuple[int, int]
"""(price_ticks, qty_lots)."""


class BookChange(Protocol):
    """What a book needs of titan.marketdata.v1.BookUpdate, whichever family decoded it."""

    @property
    def recorded_ns(self) -> int: ...  # noqa: D102
    @property
    def event_time_ns(self) -> int: ...  # noqa: D102
    @property
    def snapshot(self) -> bool: ...  # noqa: D102
    @property
    def prev_update_id(self) -> int: ...  # noqa: D102
    @property
    def update_id(self) -> int: ...  # noqa: D102
    @property
    def bid_price_ticks(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def bid_qty_lots(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def ask_price_ticks(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def ask_qty_lots(self) -> Sequence[int]: ...  # noqa: D102


class _Side:
    """Prices in ascending order beside their sizes; the best bid is the last, the best ask the
    first.
    """

    __slots__ = ("prices", "sizes")

    def __init__(self) -> None:
        self.prices: list[int] = []
        self.sizes: dict[int, int] = {}

    def replace(self, prices: Sequence[int], sizes: Sequence[int]) -> None:
        self.sizes = {price: qty for price, qty in zip(prices, sizes, strict=True) if qty > 0}
        self.prices = sorted(self.sizes)

    def change(self, prices: Sequence[int], sizes: Sequence[int]) -> None:
        held = self.sizes
        for price, qty in zip(prices, sizes, strict=True):
            if qty > 0:
                if price not in held:
                    insort(self.prices, price)
                held[price] = qty
            elif held.pop(price, None) is not None:
                del self.prices[bisect_left(self.prices, price)]


class Book:
    """Bids and asks of one symbol. `live` is False before the first snapshot, after a gap, and
    when crossed.

    `generation` counts the snapshots taken: flows across a change of it mean nothing.
    """

    __slots__ = (
        "_asks",
        "_bids",
        "_synced",
        "event_time_ns",
        "gaps",
        "generation",
        "recorded_ns",
        "symbol",
        "update_id",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.recorded_ns = 0
        self.event_time_ns = 0
        self.update_id = 0
        self.gaps = 0
        self.generation = 0
        self._synced = False
        self._bids = _Side()
        self._asks = _Side()

    def apply(self, update: BookChange) -> bool:
        """Take one update; True when the book changed. Old updates are ignored, a gap takes it
        offline.
        """
        if update.snapshot:
            if self._synced and update.update_id == self.update_id:
                return False  # repeated for those who came late, and perhaps shallower than ours
            self.generation += 1
            self._bids.replace(update.bid_price_ticks, update.bid_qty_lots)
            self._asks.replace(update.ask_price_ticks, update.ask_qty_lots)
            self._synced = True
        else:
            if not self._synced or update.update_id <= self.update_id:
                return False
            if update.prev_update_id != self.update_id:
                self.gaps += 1
                self._synced = False
                return False
            self._bids.change(update.bid_price_ticks, update.bid_qty_lots)
            self._asks.change(update.ask_price_ticks, update.ask_qty_lots)
        self.update_id = update.update_id
        self.recorded_ns = update.recorded_ns
        self.event_time_ns = update.event_time_ns
        return True

    @property
    def live(self) -> bool:
        """True when both sides are known, in sequence and not crossed."""
        bids, asks = self._bids.prices, self._asks.prices
        return self._synced and bool(bids) and bool(asks) and bids[-1] < asks[0]

    @property
    def best_bid_ticks(self) -> int:
        """Highest bid, 0 when there is none."""
        return self._bids.prices[-1] if self._bids.prices else 0

    @property
    def best_ask_ticks(self) -> int:
        """Lowest ask, 0 when there is none."""
        return self._asks.prices[0] if self._asks.prices else 0

    @property
    def mid_half_ticks(self) -> int:
        """Bid plus ask: the mid price in half ticks, exact; 0 when the book is not live."""
        return self._bids.prices[-1] + self._asks.prices[0] if self.live else 0

    @property
    def spread_ticks(self) -> int:
        """Best ask less best bid; 0 when the book is not live."""
        return self._asks.prices[0] - self._bids.prices[-1] if self.live else 0

    def bids(self, depth: int = 1) -> list[Level]:
        """The best `depth` bids, highest first."""
        side = self._bids
        return [(price, side.sizes[price]) for price in side.prices[: -depth - 1 : -1]]

    def asks(self, depth: int = 1) -> list[Level]:
        """The best `depth` asks, lowest first."""
        side = self._asks
        return [(price, side.sizes[price]) for price in side.prices[:depth]]

    def bid_lots(self, price_ticks: int) -> int:
        """Size bid at a price, 0 when none."""
        return self._bids.sizes.get(price_ticks, 0)

    def ask_lots(self, price_ticks: int) -> int:
        """Size offered at a price, 0 when none."""
        return self._asks.sizes.get(price_ticks, 0)

    def takeable_lots(self, *, buy: bool, limit_ticks: int) -> int:
        """Lots on the other side at limit_ticks or better."""
        side = self._asks if buy else self._bids
        prices = side.prices
        if buy:
            reach = prices[: bisect_left(prices, limit_ticks + 1)]
        else:
            reach = prices[bisect_left(prices, limit_ticks) :]
        return sum(side.sizes[price] for price in reach)
