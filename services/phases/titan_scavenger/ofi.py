"""Order-flow imbalance: Cont, Kukanov and Stoikov (2014), per book event, summed over a window.

Owns the formula and its rolling sums, in integers. Must never know a wall clock, an order or the
SDK: time is the
recorded stamp of the event, handed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

MAX_WINDOW_ENTRIES = 4096

Level = tuple[int, int]
"""(price_ticks, qty_lots)."""


def level_flow(bid0: Level, ask0: Level, bid1: Level, ask1: Level) -> int:
    """Contribution e_n of one book event at one level, lots.

    A bid that rises or stays brings its new size, one that falls or stays takes its old size
    away; asks mirrored.
    """
    flow = 0
    if bid1[0] >= bid0[0]:
        flow += bid1[1]
    if bid1[0] <= bid0[0]:
        flow -= bid0[1]
    if ask1[0] <= ask0[0]:
        flow -= ask1[1]
    if ask1[0] >= ask0[0]:
        flow += ask0[1]
    return flow


class RollingSum:
    """Sum of the values of the last window_ns, exact to resolution_ns; memory is bounded by their
    ratio.
    """

    __slots__ = ("_entries", "_resolution_ns", "_window_ns", "total")

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._resolution_ns = max(window_ns // MAX_WINDOW_ENTRIES, 1)
        self._entries: deque[list[int]] = deque()
        self.total = 0

    def add(self, at_ns: int, value: int) -> None:
        """Count a value and forget what left the window."""
        self.advance(at_ns)
        entries = self._entries
        if entries and at_ns - entries[-1][0] < self._resolution_ns:
            entries[-1][1] += value
        else:
            entries.append([at_ns, value])
        self.total += value

    def advance(self, at_ns: int) -> int:
        """Forget what is older than the window; the sum that is left."""
        entries = self._entries
        horizon = at_ns - self._window_ns
        while entries and entries[0][0] <= horizon:
            self.total -= entries.popleft()[1]
        return self.total

    def clear(self) -> None:
        """Forget everything (a book was replaced: flows across the cut mean nothing)."""
        self._entries.clear()
        self.total = 0


@dataclass(frozen=True, slots=True)
class Top:
    """The levels of one book state that count, best first; equally many on both sides."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class OrderFlow:
    """OFI of one book over a window of recorded time, at the best level or summed over the first
    levels.
    """

    def __init__(self, window_ns: int, levels: int = 1) -> None:
        self._levels = levels
        self._sum = RollingSum(window_ns)
        self._last: Top | None = None

    @property
    def lots(self) -> int:
        """OFI of the window, lots; positive = buying pressure."""
        return self._sum.total

    def on_book(self, at_ns: int, bids: Sequence[Level], asks: Sequence[Level]) -> int:
        """Take the book after an event; the event's own e_n, lots (0 for the first)."""
        count = min(self._levels, len(bids), len(asks))
        now = Top(tuple(bids[:count]), tuple(asks[:count]))
        before, self._last = self._last, now
        if before is None or before == now:
            self._sum.advance(at_ns)
            return 0
        flow = sum(
            level_flow(bid0, ask0, bid1, ask1)
            for bid0, ask0, bid1, ask1 in zip(
                before.bids, before.asks, now.bids, now.asks, strict=False
            )
        )
        self._sum.add(at_ns, flow)
        return flow

    def reset(self) -> None:
        """Forget the book and the window (snapshot after a gap)."""
        self._last = None
        self._sum.clear()


class TradeFlow:
    """Signed and total taker volume of a window, lots; positive = buyers took."""

    def __init__(self, window_ns: int) -> None:
        self._signed = RollingSum(window_ns)
        self._total = RollingSum(window_ns)

    def on_trade(self, at_ns: int, qty_lots: int, seller_is_taker: bool) -> None:
        """Count one public trade."""
        self._signed.add(at_ns, -qty_lots if seller_is_taker else qty_lots)
        self._total.add(at_ns, qty_lots)

    def imbalance_pct(self, at_ns: int) -> int:
        """Signed over total volume in percent, -100 to 100; 0 when nothing traded."""
        total = self._total.advance(at_ns)
        signed = self._signed.advance(at_ns)
        return 0 if total == 0 else round(100 * signed / total)


class ImpactFit:
    """Slope of mid change on OFI through the origin, from consecutive intervals; exact integer
    sums.

    Old intervals fade: when `horizon` of them are in, the sums are halved.
    """

    def __init__(self, interval_ns: int, horizon: int = 64) -> None:
        self._interval_ns = interval_ns
        self._horizon = horizon
        self._next_ns = 0
        self._last_mid = 0
        self._xy = 0
        self._xx = 0
        self._abs = 0
        self._count = 0

    def observe(self, at_ns: int, ofi_lots: int, mid_half_ticks: int) -> None:
        """Look at the market; one interval is closed each interval_ns."""
        if at_ns < self._next_ns:
            return
        if self._next_ns:
            self._xy += ofi_lots * (mid_half_ticks - self._last_mid)
            self._xx += ofi_lots * ofi_lots
            self._abs += abs(ofi_lots)
            self._count += 1
            if self._count >= self._horizon:
                self._xy, self._xx = self._xy // 2, self._xx // 2
                self._abs, self._count = self._abs // 2, self._count // 2
        self._next_ns = at_ns + self._interval_ns
        self._last_mid = mid_half_ticks

    @property
    def mean_abs_lots(self) -> int:
        """Mean absolute OFI of the intervals, 0 before the first: what "strong" is measured by."""
        return self._abs // self._count if self._count else 0

    def move_half_ticks(self, ofi_lots: int) -> int:
        """Move of the mid that this much flow went with, half ticks."""
        return self._xy * ofi_lots // self._xx if self._xx else 0
