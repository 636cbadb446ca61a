"""Scavenger: level and breakout traps on order-flow imbalance.

Owns one round trip at a time per symbol: entry, take profit, stop, time stop. What the market
means is hunt.py's;
what may be risked is the lease's. Must never know sockets, the bus, or a wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from titan_sdk import (
    Book,
    OrderHandle,
    Rejected,
    Report,
    Side,
    Strategy,
    TimeInForce,
    Trade,
)

from titan_scavenger.config import ScavengerConfig
from titan_scavenger.hunt import Hunt, Look, Wish

_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class Round:
    """Where the round trip of one symbol stands."""

    hunt: Hunt
    entry: OrderHandle | None = None
    entered_ns: int = 0
    exit: OrderHandle | None = None
    cost_ticks_lots: int = 0
    opened_ns: int = 0
    quiet_until_ns: int = 0

    def settle(self) -> None:
        """Let go of orders that have ended."""
        if self.entry is not None and self.entry.done:
            self.entry = None
        if self.exit is not None and self.exit.done:
            self.exit = None


class Scavenger(Strategy):
    """Phase 1."""

    phase_id = "scavenger"
    config_type = ScavengerConfig

    def on_start(self) -> None:
        """Start with empty senses on every symbol."""
        self.settings = cast(ScavengerConfig, self.config)
        self._rounds = {symbol: Round(Hunt(self.settings)) for symbol in self.settings.symbols}

    def on_trade(self, trade: Trade) -> None:
        """Feed the trade flow."""
        hunt = self._rounds[trade.symbol].hunt
        hunt.on_trade(trade.recorded_ns, trade.qty_lots, trade.seller_is_taker)

    def on_book(self, book: Book) -> None:
        """Look, mind the position first, then consider the traps."""
        depth = self.settings.ofi_levels
        this = self._rounds[book.symbol]
        look, wishes = this.hunt.on_book(
            book.recorded_ns, book.generation, book.bids(depth), book.asks(depth)
        )
        this.settle()
        position = self.position_lots(book.symbol)
        if position != 0:
            self._mind_position(book.symbol, this, position, look)
        elif this.exit is not None:
            self.cancel(this.exit)
        self._mind_entry(this, look)
        for wish in wishes:
            self._consider(book.symbol, this, position, wish)

    def on_report(self, order: OrderHandle, report: Report) -> None:
        """Keep the cost of the open position."""
        if not report.is_fill:
            return
        this = self._rounds[report.symbol]
        lots = report.last_qty_lots if report.side is Side.BUY else -report.last_qty_lots
        position = self.position_lots(report.symbol)
        if position == 0:
            this.cost_ticks_lots = 0
        elif position == lots:
            this.cost_ticks_lots = lots * report.last_price_ticks
            this.opened_ns = self.now_ns
        elif (position > 0) == (lots > 0):
            this.cost_ticks_lots += lots * report.last_price_ticks
        else:
            this.cost_ticks_lots = this.cost_ticks_lots * position // (position - lots)

    def on_rejected(self, order: OrderHandle, rejected: Rejected) -> None:
        """Pause the symbol: the same market would get the same answer."""
        this = self._rounds[order.intent.symbol]
        this.settle()
        this.quiet_until_ns = self.now_ns + self.settings.retry_ms * _NS_PER_MS

    # -- entries ---------------------------------------------------------------------------------

    def _consider(self, symbol: str, this: Round, position: int, wish: Wish) -> None:
        busy = position != 0 or this.entry is not None or this.exit is not None
        if busy or not self.may_open or wish.look.at_ns < this.quiet_until_ns:
            return
        look, trap = wish.look, wish.trap
        this.entry = self.submit(
            self.wish(
                symbol,
                Side.BUY if wish.buy else Side.SELL,
                qty_lots=self.settings.order_lots,
                price_ticks=wish.price_ticks,
                time_in_force=TimeInForce.POST_ONLY if wish.passive else TimeInForce.IOC,
                ttl_ms=self.settings.ttl_ms,
                rule=wish.rule,
                expected_edge_ppm=wish.edge_ppm,
                inputs={
                    "ofi_lots": look.ofi_lots,
                    "ofi_typical_lots": look.typical_ofi_lots,
                    "flow_pct": look.flow_pct,
                    "level_ticks": trap.price,
                    "bid_ticks": look.bid_ticks,
                    "ask_ticks": look.ask_ticks,
                    "recorded_ns": look.at_ns,
                },
            )
        )
        this.entered_ns = look.at_ns

    def _mind_entry(self, this: Round, look: Look) -> None:
        """A resting entry that the market has not taken in time is withdrawn."""
        entry = this.entry
        if entry is None or entry.intent.time_in_force is not TimeInForce.POST_ONLY:
            return
        if look.at_ns - this.entered_ns >= self.settings.rest_ms * _NS_PER_MS:
            self.cancel(entry)

    # -- exits -----------------------------------------------------------------------------------

    def _mind_position(self, symbol: str, this: Round, position: int, look: Look) -> None:
        reason = self._must_leave(this, position, look)
        if this.entry is not None:  # the rest of a part-filled entry
            if reason or look.at_ns - this.opened_ns >= self.settings.rest_ms * _NS_PER_MS:
                self.cancel(this.entry)
            return
        if reason is None:
            if this.exit is None:
                self._rest_take_profit(symbol, this, position, look)
            return
        if this.exit is not None:
            self.cancel(this.exit)
            return
        if look.at_ns >= this.quiet_until_ns:
            self._leave_now(symbol, this, position, look, reason)

    def _must_leave(self, this: Round, position: int, look: Look) -> str | None:
        """The rule that ends the round trip now, if any."""
        cost_half_ticks = 2 * this.cost_ticks_lots // position
        gain = look.mid_half_ticks - cost_half_ticks
        if (gain if position > 0 else -gain) <= -2 * self.settings.stop_ticks:
            return "stop"
        if look.at_ns - this.opened_ns >= self.settings.hold_ms * _NS_PER_MS:
            return "time_stop"
        return None

    def _rest_take_profit(self, symbol: str, this: Round, position: int, look: Look) -> None:
        if look.at_ns < this.quiet_until_ns:
            return
        cost = this.cost_ticks_lots // position
        reach = self.settings.take_profit_ticks
        price = (
            max(cost + reach, look.bid_ticks + 1)
            if position > 0
            else min(cost - reach, look.ask_ticks - 1)
        )
        this.exit = self._exit(
            symbol,
            position,
            look,
            price_ticks=price,
            tif=TimeInForce.GTC,
            rule="take_profit",
        )

    def _leave_now(self, symbol: str, this: Round, position: int, look: Look, rule: str) -> None:
        reach = self.settings.slip_ticks
        price = look.bid_ticks - reach if position > 0 else look.ask_ticks + reach
        this.exit = self._exit(
            symbol, position, look, price_ticks=price, tif=TimeInForce.IOC, rule=rule
        )
        this.quiet_until_ns = look.at_ns + self.settings.retry_ms * _NS_PER_MS

    def _exit(
        self,
        symbol: str,
        position: int,
        look: Look,
        *,
        price_ticks: int,
        tif: TimeInForce,
        rule: str,
    ) -> OrderHandle:
        return self.submit(
            self.wish(
                symbol,
                Side.SELL if position > 0 else Side.BUY,
                qty_lots=abs(position),
                price_ticks=max(price_ticks, 1),
                time_in_force=tif,
                reduce_only=True,
                ttl_ms=self.settings.ttl_ms,
                rule=rule,
                inputs={
                    "position_lots": position,
                    "ofi_lots": look.ofi_lots,
                    "recorded_ns": look.at_ns,
                },
            )
        )
