"""When to try again: 1 s doubling to 30 s, each shortened by up to half against marching in step.

Owns the arithmetic. Must never sleep or read a clock.
"""

from __future__ import annotations

from titan_mesh.ids import Rng

INITIAL_NS = 1_000_000_000
MAX_NS = 30_000_000_000


class Backoff:
    """Delays after consecutive failures."""

    def __init__(self, rng: Rng, initial_ns: int = INITIAL_NS, max_ns: int = MAX_NS) -> None:
        self._rng = rng
        self._initial_ns = initial_ns
        self._max_ns = max_ns
        self._bound_ns = initial_ns

    def after_failure_ns(self) -> int:
        """The delay before the next attempt: between half of the bound and the bound."""
        bound = self._bound_ns
        self._bound_ns = min(2 * bound, self._max_ns)
        half = bound // 2
        return half + int.from_bytes(self._rng.randbytes(8), "big") % (bound - half + 1)

    def reset(self) -> None:
        """A session opened."""
        self._bound_ns = self._initial_ns
