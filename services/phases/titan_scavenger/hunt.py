"""One symbol under watch: from book and trades to "open this", "close that", "cancel those".

Owns the senses (OFI, trade flow, levels, impact) and the reading of a trap's move into a wish.
Pure: time is recorded
time, handed in. Must never know the SDK's desk, an order's life, or a wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from titan_scavenger.config import ScavengerConfig
from titan_scavenger.ofi import ImpactFit, Level, OrderFlow, TradeFlow
from titan_scavenger.trap import Break, LevelMap, Move, Trap, TrapRules

_NS_PER_MS = 1_000_000
_PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Look:
    """The market at one instant, as the traps judge it."""

    at_ns: int
    bid_ticks: int
    ask_ticks: int
    ofi_lots: int
    typical_ofi_lots: int
    flow_pct: int

    @property
    def mid_half_ticks(self) -> int:
        """Bid plus ask."""
        return self.bid_ticks + self.ask_ticks


@dataclass(frozen=True, slots=True)
class Wish:
    """An entry that a trap asks for. `passive` rests at price_ticks; else it takes up to it."""

    buy: bool
    price_ticks: int
    passive: bool
    rule: str
    edge_ppm: int
    trap: Trap
    look: Look


class Hunt:
    """Senses and traps of one symbol."""

    def __init__(self, config: ScavengerConfig) -> None:
        self._config = config
        self._generation = 0
        self._ofi = OrderFlow(config.ofi_window_ms * _NS_PER_MS, config.ofi_levels)
        self._flow = TradeFlow(config.flow_window_ms * _NS_PER_MS)
        self._impact = ImpactFit(config.ofi_window_ms * _NS_PER_MS)
        self._levels = LevelMap(
            tuple(ms * _NS_PER_MS for ms in config.level_windows_ms),
            config.level_lag_ms * _NS_PER_MS,
            config.round_ticks,
        )
        self._rules = TrapRules(
            arm_ticks=config.arm_ticks,
            break_ticks=config.break_ticks,
            release_ticks=config.release_ticks,
            confirm_ns=config.confirm_ms * _NS_PER_MS,
            cooldown_ns=config.cooldown_ms * _NS_PER_MS,
        )

    def on_trade(self, at_ns: int, qty_lots: int, seller_is_taker: bool) -> None:
        """Count a public trade."""
        self._flow.on_trade(at_ns, qty_lots, seller_is_taker)

    def on_book(
        self, at_ns: int, generation: int, bids: list[Level], asks: list[Level]
    ) -> tuple[Look, list[Wish]]:
        """Take a book; what the traps make of it. A new generation of it has no flow from the old
        one.
        """
        if generation != self._generation:
            self._generation = generation
            self._ofi.reset()
        self._ofi.on_book(at_ns, bids, asks)
        bid_ticks, ask_ticks = bids[0][0], asks[0][0]
        self._impact.observe(at_ns, self._ofi.lots, bid_ticks + ask_ticks)
        look = Look(
            at_ns=at_ns,
            bid_ticks=bid_ticks,
            ask_ticks=ask_ticks,
            ofi_lots=self._ofi.lots,
            typical_ofi_lots=self._impact.mean_abs_lots,
            flow_pct=self._flow.imbalance_pct(at_ns),
        )
        self._levels.on_price(at_ns, bid_ticks, ask_ticks)
        wishes = []
        for trap in self._levels.traps:
            move = trap.observe(
                at_ns, look.mid_half_ticks, self._confirmed(trap.side, look), self._rules
            )
            wish = self._wish(trap, move, look)
            if wish is not None:
                wishes.append(wish)
        return look, wishes

    def _confirmed(self, side: Break, look: Look) -> bool:
        """Strong OFI and taker volume both push through the level."""
        config = self._config
        strong = 100 * side.value * look.ofi_lots >= config.ofi_confirm_pct * look.typical_ofi_lots
        taken = side.value * look.flow_pct >= config.flow_confirm_pct
        return look.typical_ofi_lots > 0 and strong and taken

    def _wish(self, trap: Trap, move: Move, look: Look) -> Wish | None:
        up = trap.side is Break.UP
        if move is Move.BREAKOUT:
            reach = self._config.slip_ticks
            price = look.ask_ticks + reach if up else look.bid_ticks - reach
            return self._make(trap, look, buy=up, price=price, passive=False, rule="breakout")
        if move is Move.FAILED:
            price = look.ask_ticks if up else look.bid_ticks
            return self._make(
                trap, look, buy=not up, price=price, passive=True, rule="failed_break"
            )
        against = trap.side.value * look.ofi_lots < 0
        if move is Move.ARMED and against:
            price = max(trap.price, look.ask_ticks) if up else min(trap.price, look.bid_ticks)
            return self._make(trap, look, buy=not up, price=price, passive=True, rule="level_fade")
        return None

    def _make(
        self, trap: Trap, look: Look, *, buy: bool, price: int, passive: bool, rule: str
    ) -> Wish:
        move = self._impact.move_half_ticks(look.ofi_lots)
        edge = (move if buy else -move) * _PPM // look.mid_half_ticks
        return Wish(buy, price, passive, f"{rule}.{trap.name}", edge, trap, look)
