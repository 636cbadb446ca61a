"""Settings of Scavenger: the frozen [phase.scavenger] section.

Owns names, defaults and bounds. Must never read a file or the environment itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from titan_sdk import PhaseConfig
from titan_sdk.config import setting_fault


@dataclass(frozen=True, kw_only=True, slots=True)
class ScavengerConfig(PhaseConfig):
    """Times are recorded market time; distances are ticks of the instrument.

    The defaults show the mesh at work on the paper market: many small round trips. With taker
    fees of 5 bps they
    cost more than they can win; widen take_profit_ticks, stop_ticks and hold_ms for anything but
    a demonstration.
    """

    ofi_window_ms: int = 10_000
    ofi_levels: int = 1
    flow_window_ms: int = 5_000
    level_windows_ms: tuple[int, ...] = (10_000, 30_000, 120_000)
    level_lag_ms: int = 1_000
    round_ticks: int = 50
    arm_ticks: int = 60
    break_ticks: int = 3
    release_ticks: int = 80
    confirm_ms: int = 2_000
    cooldown_ms: int = 800
    ofi_confirm_pct: int = 40
    flow_confirm_pct: int = 10
    order_lots: int = 10
    slip_ticks: int = 30
    take_profit_ticks: int = 12
    stop_ticks: int = 25
    rest_ms: int = 1_200
    hold_ms: int = 2_500
    retry_ms: int = 500
    ttl_ms: int = 2_000

    def __post_init__(self) -> None:
        # Explicit: a slots dataclass is made anew, and the zero-argument super() knows the old one.
        PhaseConfig.__post_init__(self)
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, int) and value < (0 if item.name == "round_ticks" else 1):
                raise setting_fault(item.name, value, ">= 1")
        if not self.level_windows_ms or min(self.level_windows_ms) <= self.level_lag_ms:
            raise setting_fault(
                "level_windows_ms", self.level_windows_ms, "each above level_lag_ms"
            )
