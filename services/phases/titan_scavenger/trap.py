"""Level traps: where price may break out, when a break is believed, and when it has failed.

Owns the levels (rolling extremes, round numbers) and the life of a trap on each. Pure integers,
time is the
recorded stamp handed in. Must never know an order, the SDK or a wall clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

MAX_EXTREME_POINTS = 4096
MAX_TRAPS = 64


class Break(Enum):
    """Side on which price leaves a level."""

    UP = 1
    DOWN = -1


class TrapState(Enum):
    """Life of a trap; see Trap.observe for the moves."""

    IDLE = "idle"
    ARMED = "armed"
    BROKEN = "broken"


class Move(Enum):
    """What a trap tells the strategy."""

    NOTHING = "nothing"
    ARMED = "armed"
    BREAKOUT = "breakout"
    FAILED = "failed"
    DISARMED = "disarmed"


class RollingExtreme:
    """Highest (or lowest) price of the last window_ns, without the newest lag_ns: a level needs
    some age.

    A monotonic queue: memory is the number of successive extremes, bounded.
    """

    __slots__ = ("_highest", "_lag_ns", "_pending", "_queue", "_window_ns")

    def __init__(self, window_ns: int, lag_ns: int, *, highest: bool) -> None:
        self._window_ns = window_ns
        self._lag_ns = lag_ns
        self._highest = highest
        self._pending: deque[tuple[int, int]] = deque(maxlen=MAX_EXTREME_POINTS)
        self._queue: deque[tuple[int, int]] = deque(maxlen=MAX_EXTREME_POINTS)

    def add(self, at_ns: int, price: int) -> None:
        """Take a price; equal prices in a row cost nothing."""
        if not self._pending or self._pending[-1][1] != price:
            if len(self._pending) == self._pending.maxlen:
                self._settle(*self._pending.popleft())
            self._pending.append((at_ns, price))
        while self._pending and self._pending[0][0] <= at_ns - self._lag_ns:
            self._settle(*self._pending.popleft())
        while self._queue and self._queue[0][0] <= at_ns - self._window_ns:
            self._queue.popleft()

    def _settle(self, at_ns: int, price: int) -> None:
        queue = self._queue
        if self._highest:
            while queue and queue[-1][1] <= price:
                queue.pop()
        else:
            while queue and queue[-1][1] >= price:
                queue.pop()
        queue.append((at_ns, price))

    @property
    def price(self) -> int:
        """The extreme, 0 before the lag has passed."""
        return self._queue[0][1] if self._queue else 0


@dataclass(frozen=True, slots=True)
class TrapRules:
    """Distances in ticks and times in ns that decide a trap's moves."""

    arm_ticks: int
    break_ticks: int
    release_ticks: int
    confirm_ns: int
    cooldown_ns: int


@dataclass(slots=True)
class Trap:
    """One level watched on one side. `price` may be moved while the trap is idle."""

    name: str
    side: Break
    price: int = 0
    state: TrapState = TrapState.IDLE
    since_ns: int = 0
    quiet_until_ns: int = 0

    def observe(self, at_ns: int, mid_half_ticks: int, confirmed: bool, rules: TrapRules) -> Move:
        """Advance by one look at the market.

        IDLE -> ARMED near the level, inside of it. ARMED -> BROKEN beyond it; a break that flow
        confirms within
        confirm_ns is a BREAKOUT, one that comes back inside or runs out of time unconfirmed has
        FAILED.
        """
        beyond = self.side.value * (mid_half_ticks - 2 * self.price)  # half ticks outside
        if self.state is TrapState.IDLE:
            return self._wait(at_ns, beyond, rules)
        if self.state is TrapState.ARMED:
            if beyond < -2 * rules.release_ticks:
                return self._become(TrapState.IDLE, at_ns, Move.DISARMED)
            if beyond < 2 * rules.break_ticks:
                return Move.NOTHING
            self.state, self.since_ns = TrapState.BROKEN, at_ns
        return self._judge(at_ns, beyond, confirmed, rules)

    def _wait(self, at_ns: int, beyond: int, rules: TrapRules) -> Move:
        near = -2 * rules.arm_ticks <= beyond < 2 * rules.break_ticks
        if self.price <= 0 or at_ns < self.quiet_until_ns or not near:
            return Move.NOTHING
        return self._become(TrapState.ARMED, at_ns, Move.ARMED)

    def _judge(self, at_ns: int, beyond: int, confirmed: bool, rules: TrapRules) -> Move:
        if confirmed and beyond >= 2 * rules.break_ticks:
            return self._rest(at_ns, Move.BREAKOUT, rules)
        if beyond < 0:
            return self._rest(at_ns, Move.FAILED, rules)
        if at_ns - self.since_ns > rules.confirm_ns:
            return self._rest(at_ns, Move.DISARMED, rules)
        return Move.NOTHING

    def _become(self, state: TrapState, at_ns: int, move: Move) -> Move:
        self.state, self.since_ns = state, at_ns
        return move

    def _rest(self, at_ns: int, move: Move, rules: TrapRules) -> Move:
        self.quiet_until_ns = at_ns + rules.cooldown_ns
        return self._become(TrapState.IDLE, at_ns, move)


class LevelMap:
    """The traps of one symbol: highs and lows of each window, and the round numbers around the
    price.
    """

    def __init__(self, windows_ns: tuple[int, ...], lag_ns: int, round_ticks: int) -> None:
        self._round_ticks = round_ticks
        self._extremes: list[tuple[RollingExtreme, Trap]] = []
        for window_ns in windows_ns:
            seconds = window_ns // 1_000_000_000
            high = RollingExtreme(window_ns, lag_ns, highest=True)
            low = RollingExtreme(window_ns, lag_ns, highest=False)
            self._extremes.append((high, Trap(f"high_{seconds}s", Break.UP)))
            self._extremes.append((low, Trap(f"low_{seconds}s", Break.DOWN)))
        self._round_up = Trap("round_up", Break.UP)
        self._round_down = Trap("round_down", Break.DOWN)
        self.traps = [trap for _, trap in self._extremes] + [self._round_up, self._round_down]
        assert len(self.traps) <= MAX_TRAPS

    def on_price(self, at_ns: int, bid_ticks: int, ask_ticks: int) -> None:
        """Move the levels; a trap that is armed or broken keeps the level it stands on."""
        mid = (bid_ticks + ask_ticks) // 2
        for extreme, trap in self._extremes:
            extreme.add(at_ns, mid)
            if trap.state is TrapState.IDLE:
                trap.price = extreme.price
        if self._round_ticks > 0:
            below = mid - mid % self._round_ticks
            if self._round_up.state is TrapState.IDLE:
                self._round_up.price = below + self._round_ticks
            if self._round_down.state is TrapState.IDLE:
                self._round_down.price = below
