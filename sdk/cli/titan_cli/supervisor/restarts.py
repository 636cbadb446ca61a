"""How often and how soon a crashed process may come back. Must never know processes or clocks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The policy's restart limit, and the back-off between tries."""

    max_restarts: int
    window_ms: int
    first_delay_ms: int = 100
    max_delay_ms: int = 30_000


class RestartBudget:
    """Restarts of one process inside the sliding window."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._at_ns: deque[int] = deque(maxlen=max(policy.max_restarts, 1))

    def next_delay_ms(self, boottime_ns: int) -> int | None:
        """Takes one restart: its delay, doubling within the window; None when none is left."""
        window_ns = self._policy.window_ms * _NS_PER_MS
        while self._at_ns and boottime_ns - self._at_ns[0] > window_ns:
            self._at_ns.popleft()
        if len(self._at_ns) >= self._policy.max_restarts:
            return None
        delay_ms = self._policy.first_delay_ms << len(self._at_ns)
        self._at_ns.append(boottime_ns)
        return min(delay_ms, self._policy.max_delay_ms)
