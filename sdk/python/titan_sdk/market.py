"""Public trades and bars as a strategy sees them.

Owns the aggregation of trades into bars by recorded time. Must never know protobuf, a wall clock
or an order.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trade:
    """One public trade."""

    symbol: str
    recorded_ns: int
    event_time_ns: int
    price_ticks: int
    qty_lots: int
    seller_is_taker: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """Trades of one interval of recorded time, closed: nothing of it can change any more."""

    symbol: str
    start_ns: int
    interval_ns: int
    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    signed_lots: int
    trades: int


class BarBuilder:
    """Builds the bars of one symbol. A bar closes when time passes its end; empty intervals make
    no bar.
    """

    __slots__ = (
        "_first",
        "_high",
        "_interval_ns",
        "_last",
        "_low",
        "_signed",
        "_start",
        "_symbol",
        "_trades",
        "_volume",
    )

    def __init__(self, symbol: str, interval_ns: int) -> None:
        self._symbol = symbol
        self._interval_ns = interval_ns
        self._start = -1
        self._begin(0)

    def _begin(self, price_ticks: int) -> None:
        self._first = self._high = self._low = self._last = price_ticks
        self._volume = self._signed = self._trades = 0

    def on_time(self, recorded_ns: int) -> Bar | None:
        """The bar that ended at or before recorded_ns, if any."""
        if self._start < 0 or recorded_ns < self._start + self._interval_ns:
            return None
        bar = Bar(
            symbol=self._symbol,
            start_ns=self._start,
            interval_ns=self._interval_ns,
            open_ticks=self._first,
            high_ticks=self._high,
            low_ticks=self._low,
            close_ticks=self._last,
            volume_lots=self._volume,
            signed_lots=self._signed,
            trades=self._trades,
        )
        self._start = -1
        return bar

    def on_trade(self, trade: Trade) -> Bar | None:
        """Count a trade; the bar it closed, if any. A trade from before the open bar counts in
        the open one.
        """
        closed = self.on_time(trade.recorded_ns)
        price = trade.price_ticks
        if self._start < 0:
            self._start = trade.recorded_ns - trade.recorded_ns % self._interval_ns
            self._begin(price)
        self._high = max(self._high, price)
        self._low = min(self._low, price)
        self._last = price
        self._volume += trade.qty_lots
        self._signed += -trade.qty_lots if trade.seller_is_taker else trade.qty_lots
        self._trades += 1
        return closed
