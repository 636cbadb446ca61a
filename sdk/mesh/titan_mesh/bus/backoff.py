"""Delays between attempts, and the point at which attempts end.

Owns the arithmetic and the wait. Must never know what is attempted.
"""

from __future__ import annotations

import asyncio

from titan_mesh.bus import limits
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError, Unavailable

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


def doubling_ms(attempt: int, first_ms: int, max_ms: int) -> int:
    """first, 2x, 4x .. up to the maximum; attempts count from 1."""
    return int(min(first_ms << min(attempt - 1, 16), max_ms))


class Patience:
    """Waits between failures; gives up when nothing succeeded for `give_up_s`."""

    def __init__(self, clock: Clock, stop: asyncio.Event, give_up_s: float) -> None:
        self._clock = clock
        self._stop = stop
        self._give_up_ns = int(give_up_s * _NS_PER_S)
        self._good_ns = clock.boottime_ns()
        self._attempt = 0

    def succeeded(self) -> None:
        """Start over."""
        self._attempt = 0
        self._good_ns = self._clock.boottime_ns()

    async def failed(self, fault: TitanError) -> None:
        """Wait before the next attempt; a stop ends the wait, exhaustion raises Unavailable."""
        now_ns = self._clock.boottime_ns()
        if now_ns - self._good_ns > self._give_up_ns:
            raise Unavailable(
                "BUS_GONE",
                f"nothing succeeded for {self._give_up_ns // _NS_PER_S} s: {fault}",
                "bus",
                fault.code,
                f"{self._give_up_ns // _NS_PER_S} s",
            )
        self._attempt += 1
        delay_ms = doubling_ms(self._attempt, limits.RETRY_FIRST_MS, limits.RETRY_MAX_MS)
        await wait_or_stop(self._clock, self._stop, now_ns + delay_ms * _NS_PER_MS)


async def wait_or_stop(clock: Clock, stop: asyncio.Event, until_ns: int) -> None:
    """Return at the instant or when stop is set, whichever comes first."""
    tasks = {asyncio.ensure_future(clock.sleep_until(until_ns)), asyncio.ensure_future(stop.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
