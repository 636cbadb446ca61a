"""Time as a constructor argument. The only module that reads a clock.

Owns the three readings: UNIX time for people, boot time for all that expires (it counts suspend
too), monotonic time for short measurements. Must never know what the time is used for.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol

_NS = 1_000_000_000
# The event loop compares timers in its own resolution and may fire this much early.
_TIMER_SLACK_NS = 1_000_000


class Clock(Protocol):
    """What a part of the mesh may ask about time, all in nanoseconds."""

    def unix_ns(self) -> int:
        """Nanoseconds since 1970, UTC; may step."""
        ...

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME: never steps back, counts suspend, shared by all processes of the host."""
        ...

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC: for durations inside one process."""
        ...

    async def sleep_until(self, boottime_ns: int) -> None:
        """Return when boottime_ns() has reached the given instant; at once if it has."""
        ...


class SystemClock:
    """The host's clocks."""

    def unix_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return time.time_ns()

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME in nanoseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC in nanoseconds."""
        return time.monotonic_ns()

    async def sleep_until(self, boottime_ns: int) -> None:
        """Sleep in one piece; the loop rounds up to its own resolution."""
        left_ns = boottime_ns - self.boottime_ns()
        if left_ns > 0:
            await asyncio.sleep((left_ns + _TIMER_SLACK_NS) / _NS)


class ManualClock:
    """A clock that stands still until it is advanced; sleepers wake in order of their instants."""

    def __init__(
        self,
        unix_ns: int = 1_700_000_000 * _NS,
        boottime_ns: int = 1_000 * _NS,
        monotonic_ns: int = 1_000 * _NS,
    ) -> None:
        self._unix_ns = unix_ns
        self._boottime_ns = boottime_ns
        self._monotonic_ns = monotonic_ns
        self._tie = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def unix_ns(self) -> int:
        """The UNIX reading."""
        return self._unix_ns

    def boottime_ns(self) -> int:
        """The boot time reading."""
        return self._boottime_ns

    def monotonic_ns(self) -> int:
        """The monotonic reading."""
        return self._monotonic_ns

    @property
    def sleepers(self) -> int:
        """How many tasks wait for an instant; a test waits for it before it advances."""
        return len(self._sleepers)

    def advance(self, delta_ns: int) -> None:
        """Move all three readings forward and wake whoever is due."""
        assert delta_ns >= 0, "time does not run backwards"
        self._unix_ns += delta_ns
        self._boottime_ns += delta_ns
        self._monotonic_ns += delta_ns
        while self._sleepers and self._sleepers[0][0] <= self._boottime_ns:
            _, _, due = heapq.heappop(self._sleepers)
            if not due.done():
                due.set_result(None)

    def step_unix(self, delta_ns: int) -> None:
        """Step the UNIX reading alone, as an adjusted host clock does."""
        self._unix_ns += delta_ns

    async def sleep_until(self, boottime_ns: int) -> None:
        """Wait until somebody advances the clock to the instant."""
        if boottime_ns <= self._boottime_ns:
            return
        due = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (boottime_ns, next(self._tie), due))
        await due
