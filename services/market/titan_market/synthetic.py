"""A seeded synthetic market: snapshot, a diff each 100 ms, trades; integers only.

Owns price formation: ranges that revert, breakouts that run, order flow that leads the price.
Must never read a clock or draw from anything but the generator it was given.

One hidden number, the pressure, decays slowly. It tilts the sizes at the touch and the sides of
trades now, and pushes the price over the next seconds: so order-flow imbalance predicts, noisily.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from titan_market.events import Levels, Snapshot, TradePrint
from titan_market.importers.sync import ChainedDelta

STEP_NS = 100_000_000
EPOCH_NS = 1_700_000_000_000_000_000
"""recorded_ns of the first step; arbitrary, fixed so that a seed is a recording."""
_MILLI = 1_000
_PRESSURE_MAX = 1_000
_NEAR_TICKS = 24
_FAR_TICKS = 600
_FAR_STEP = 20
_HEDGE = 0x9E3779B97F4A7C15

SyntheticEvent = Snapshot | ChainedDelta | TradePrint


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """Shape of the market; the defaults resemble BTCUSDT at 60,000.0 in ticks of 0.1."""

    symbol: str = "BTCUSDT"
    start_ticks: int = 600_000
    steps: int = 6_000
    range_ticks: int = 120
    noise_milli_ticks: int = 9_000
    push_milli_ticks: int = 3
    """Price move per step and unit of pressure."""
    run_milli_ticks: int = 5_000
    """Price move per step of a breakout."""
    quote_lag_ticks: int = 12
    """How far the price runs before the quotes follow."""
    touch_lots: int = 2_500


class SyntheticMarket:
    """Iterate it for the events; the same settings and generator state give the same events."""

    def __init__(self, settings: SyntheticSettings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._value = settings.start_ticks * _MILLI
        self._anchor = self._value
        self._bid = settings.start_ticks
        self._pressure = 0
        self._run_steps = 0
        self._run_side = 0
        self._quiet_steps = rng.randrange(150, 400)
        self._salt = rng.getrandbits(62)
        self._spread = 1
        self._sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._update_id = 1_000
        self._trade_id = 0

    def __iter__(self) -> Iterator[SyntheticEvent]:
        bids, asks = self._shift_book()
        yield Snapshot(
            symbol=self._settings.symbol,
            recorded_ns=EPOCH_NS,
            venue_ns=EPOCH_NS,
            update_id=self._update_id,
            bids=sorted(bids, reverse=True),
            asks=sorted(asks),
        )
        for step in range(1, self._settings.steps + 1):
            stamp_ns = EPOCH_NS + step * STEP_NS
            self._move_price()
            yield from self._trades(stamp_ns)
            bids, asks = self._shift_book()
            previous = self._update_id
            self._update_id += 1 + self._rng.randrange(40)
            yield ChainedDelta(
                symbol=self._settings.symbol,
                recorded_ns=stamp_ns,
                venue_ns=stamp_ns,
                prev_update_id=previous,
                update_id=self._update_id,
                bids=bids,
                asks=asks,
            )

    # ---- price -------------------------------------------------------------------------------

    def _noise(self, width: int) -> int:
        """Sum of two uniforms: a triangle is bell enough."""
        return self._rng.randint(-width, width) + self._rng.randint(-width, width)

    def _move_price(self) -> None:
        self._turn_regime()
        push = self._noise(70) + self._run_side * 24
        pressure = self._pressure * 97 // 100 + push
        self._pressure = max(-_PRESSURE_MAX, min(_PRESSURE_MAX, pressure))
        move = self._pressure * self._settings.push_milli_ticks
        move += self._noise(self._settings.noise_milli_ticks)
        move += self._run_side * self._settings.run_milli_ticks
        if not self._run_side:
            move -= (self._value - self._anchor) // 150
        self._value = max(self._value + move, 10_000 * _MILLI)
        self._spread = 1
        if abs(self._value // _MILLI - self._bid) >= self._settings.quote_lag_ticks:
            self._bid = self._value // _MILLI
            # Wide for a moment after a jump, one tick otherwise.
            self._spread = 1 + self._rng.randrange(4)

    def _turn_regime(self) -> None:
        """Ranges end in a run through one of their levels; a run ends in a new range."""
        if self._run_side:
            self._run_steps -= 1
            if self._run_steps <= 0:
                self._run_side = 0
                self._anchor = self._value
                self._quiet_steps = self._rng.randrange(300, 600)
            return
        self._quiet_steps -= 1
        edge = abs(self._value - self._anchor) > self._settings.range_ticks * _MILLI // 2
        if self._quiet_steps <= 0 and edge:
            self._run_side = 1 if self._value > self._anchor else -1
            self._run_steps = self._rng.randrange(80, 180)

    # ---- book --------------------------------------------------------------------------------

    def _resting_lots(self, ticks: int) -> int:
        """What usually rests at a price: fixed by the price itself, round numbers hold more."""
        mixed = ((ticks + self._salt) * _HEDGE) & 0xFFFF_FFFF_FFFF_FFFF
        lots = 40 + (mixed >> 40) % 900
        return lots * 4 if ticks % 100 == 0 else lots

    def _shift_book(self) -> tuple[Levels, Levels]:
        """Moves both sides to the price; answers what changed."""
        bid, ask = self._bid, self._bid + self._spread
        tilt = self._pressure * self._settings.touch_lots // (2 * _PRESSURE_MAX)
        changes = []
        for side, touch, sign in ((0, bid, -1), (1, ask, 1)):
            book = self._sides[side]
            wanted = self._wanted(touch, sign)
            changed = {ticks: 0 for ticks in book if ticks not in wanted}
            for ticks in wanted:
                if ticks not in book:
                    changed[ticks] = self._resting_lots(ticks)
            for _ in range(3):
                ticks = touch + sign * self._rng.randrange(_NEAR_TICKS)
                changed[ticks] = max(1, self._resting_lots(ticks) + self._noise(150))
            lots = self._settings.touch_lots // 2 - sign * tilt + self._noise(600)
            changed[touch] = max(1, lots)
            for ticks, lots in changed.items():
                if lots:
                    book[ticks] = lots
                else:
                    del book[ticks]
            changes.append(list(changed.items()))
        return changes[0], changes[1]

    @staticmethod
    def _wanted(touch: int, sign: int) -> dict[int, None]:
        """Every tick near the touch, then a coarse ladder."""
        wanted = dict.fromkeys(range(touch, touch + sign * _NEAR_TICKS, sign))
        start = touch + sign * _NEAR_TICKS
        start += -start % _FAR_STEP if sign > 0 else -(start % _FAR_STEP)
        wanted.update(dict.fromkeys(range(start, touch + sign * _FAR_TICKS, sign * _FAR_STEP)))
        return wanted

    # ---- trades ------------------------------------------------------------------------------

    def _trades(self, stamp_ns: int) -> Iterator[TradePrint]:
        """What traded on the way from the old touch to the new price."""
        bid, ask = max(self._sides[0]), min(self._sides[1])
        if self._bid < bid:
            levels = sorted((t for t in self._sides[0] if t > self._bid), reverse=True)
            yield from self._sweep(stamp_ns, 0, levels)
        elif self._bid > bid:
            levels = sorted(t for t in self._sides[1] if t < self._bid + self._spread)
            yield from self._sweep(stamp_ns, 1, levels)
        elif self._rng.randrange(100) < 45:
            buyer = self._rng.randrange(2 * _PRESSURE_MAX) < _PRESSURE_MAX + self._pressure
            lots = 1 + self._rng.randrange(1 + self._rng.randrange(1, 400))
            yield self._print(stamp_ns, ask if buyer else bid, lots, not buyer)

    def _sweep(self, stamp_ns: int, side: int, levels: list[int]) -> Iterator[TradePrint]:
        """One aggressor takes the first level and prints through the last."""
        for ticks in levels[-1:]:
            lots = max(1, self._sides[side][ticks] // 4)
            yield self._print(stamp_ns, ticks, lots, side == 0)

    def _print(self, stamp_ns: int, ticks: int, lots: int, seller: bool) -> TradePrint:
        self._trade_id += 1
        return TradePrint(
            symbol=self._settings.symbol,
            recorded_ns=stamp_ns,
            venue_ns=stamp_ns,
            trade_id=self._trade_id,
            price_ticks=ticks,
            qty_lots=lots,
            seller_is_taker=seller,
        )
