"""The sections of titan.toml that belong to the market side.

Owns their keys and bounds. Must never read the file: titan_mesh.settings does.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from titan_mesh.errors import SettingError
from titan_mesh.settings import SocketPath

MAX_DELAY_US = 60_000_000
MAX_SPEED = Decimal(1_000)
MIN_SPEED = Decimal("0.001")
MAX_MARKET_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueSettings:
    """[venue]: the paper venue."""

    socket: SocketPath
    order_log: Path
    ack_delay_us: int
    """Delay of every order answer."""
    jitter_us: int
    """Uniform addition to it, drawn from the seed."""
    seed: int
    sync: bool
    """True: the order log survives a loss of power, not only a kill."""

    def check(self) -> None:
        """Bounds that types do not say."""
        for name in ("ack_delay_us", "jitter_us"):
            _within(f"venue.{name}", getattr(self, name), 0, MAX_DELAY_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """[feed]: what is played and how fast."""

    source: Literal["synthetic", "capture"]
    data: str
    """Directory or file of captures, for capture; relative to the home."""
    seed: int
    speed: Decimal
    """Market seconds per second."""
    market_seconds: int
    """Length of the synthetic market, and an upper bound for a recording; 0 = all of it."""
    keep_skew: bool

    def check(self) -> None:
        """Bounds that types do not say."""
        _within("feed.speed", self.speed, MIN_SPEED, MAX_SPEED)
        low = 1 if self.source == "synthetic" else 0
        _within("feed.market_seconds", self.market_seconds, low, MAX_MARKET_SECONDS)
        if self.source == "capture" and not self.data:
            raise SettingError(
                "SETTING_MISSING",
                "feed.data is empty but feed.source is capture",
                "feed.data",
                "",
                "a directory of captures",
                hint="Name it, or set feed.source to synthetic.",
            )


def _within(field: str, value: int | Decimal, low: int | Decimal, high: int | Decimal) -> None:
    if not low <= value <= high:
        raise SettingError(
            "SETTING_INVALID",
            f"{field} is out of range",
            field,
            value,
            f"{low} to {high}",
            hint="Correct titan.toml.",
        )
