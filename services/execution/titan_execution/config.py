"""Settings of Execution: the [execution] section and the one fact it needs of [venue].

Owns their shape. Must never hold a limit of trading: those are policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from titan_mesh.errors import SettingError
from titan_mesh.settings import Endpoint, Settings, SocketPath, socket_path

MAX_SPIN_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSettings:
    """[execution]."""

    grpc: Endpoint
    socket: SocketPath
    journal: Path
    durability: Literal["process", "power"]
    segment_bytes: int
    spin_us: int
    cpu: int

    def check(self) -> None:
        """Refuses what the types cannot."""
        if not 0 <= self.spin_us <= MAX_SPIN_US:
            raise SettingError(
                "SETTING_INVALID",
                "execution.spin_us is out of range",
                "execution.spin_us",
                self.spin_us,
                f"0 to {MAX_SPIN_US}",
            )


def venue_socket(settings: Settings) -> Path:
    """The venue's socket; the other keys of [venue] are the venue's own."""
    table = settings.tables.get("venue")
    text = table.get("socket") if isinstance(table, Mapping) else None
    if not isinstance(text, str) or not text:
        raise SettingError(
            "SETTING_MISSING",
            "venue.socket is missing",
            "venue.socket",
            text or "",
            "a path",
            hint="Correct titan.toml; `titan up` writes a whole one.",
        )
    return socket_path(settings.home / text, "venue.socket")
