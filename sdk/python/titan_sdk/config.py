"""Settings that every phase has: the base of its frozen [phase.NAME] section.

Owns names, defaults and bounds. Must never read a file itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from titan_mesh.errors import SettingError

CrashPolicy = Literal["hold", "cancel"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseConfig:
    """A phase's own settings extend this class. A back-off of 1 s doubles to 30 s, with jitter."""

    symbols: tuple[str, ...] = ("BTCUSDT",)
    crash_policy: CrashPolicy = "cancel"
    queue_capacity: int = 64
    answer_timeout_ms: int = 1_000
    ping_interval_ms: int = 1_000
    reconnect_initial_ms: int = 1_000
    reconnect_max_ms: int = 30_000
    start_patience_ms: int = 30_000
    drain_ms: int = 2_000

    def __post_init__(self) -> None:
        for name in (
            "queue_capacity",
            "answer_timeout_ms",
            "ping_interval_ms",
            "reconnect_initial_ms",
            "reconnect_max_ms",
            "start_patience_ms",
            "drain_ms",
        ):
            value = getattr(self, name)
            if value < 1:
                raise setting_fault(name, value, ">= 1")
        if not self.symbols:
            raise setting_fault("symbols", self.symbols, "at least one symbol")


def setting_fault(name: str, value: object, limit: str) -> SettingError:
    """A setting of a phase that is out of bounds."""
    return SettingError(
        "SETTING_INVALID",
        f"{name} is out of bounds",
        name,
        value,
        limit,
        hint="Correct titan.toml.",
    )
