"""Delays between attempts to reconnect: doubling, bounded, with jitter.

Owns the arithmetic. Must never sleep or read a clock.
"""

from __future__ import annotations

from random import Random

_NS_PER_MS = 1_000_000


class Backoff:
    """initial, 2x, 4x .. up to the maximum; each shortened by up to half so that clients do not
    march in step.
    """

    def __init__(self, initial_ms: int, max_ms: int, random: Random) -> None:
        self._initial_ns = initial_ms * _NS_PER_MS
        self._max_ns = max_ms * _NS_PER_MS
        self._random = random
        self._next_ns = self._initial_ns

    def next_ns(self) -> int:
        """The delay before the next attempt."""
        bound = self._next_ns
        self._next_ns = min(bound * 2, self._max_ns)
        return bound // 2 + self._random.randrange(bound // 2 + 1)

    def reset(self) -> None:
        """Start over after a success."""
        self._next_ns = self._initial_ns
