"""Settings that every phase has: the base of its frozen [phase.NAME] section.

Owns names, defaults and bounds. Must never read a file itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CrashPolicy = Literal["hold", "cancel"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseConfig:
    """A phase's own settings extend this class."""

    symbols: tuple[str, ...] = ("BTCUSDT",)
    crash_policy: CrashPolicy = "cancel"
    queue_capacity: int = 64
    answer_timeout_ms: int = 1_000
    ping_interval_ms: int = 1_000
    reconnect_initial_ms: int = 1_000
    reconnect_max_ms: int = 30_000
    drain_ms: int = 2_000
