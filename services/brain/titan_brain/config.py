"""[brain] of titan.toml, and the one key of [execution] that the Brain needs.

Owns what can be configured. Must never hold a risk limit: those are policy, bound by hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from titan_mesh.errors import SettingError
from titan_mesh.settings import Endpoint, Settings, endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class BrainSettings:
    """Where the Brain listens and keeps its database."""

    grpc: Endpoint
    database: Path


def execution_endpoint(settings: Settings) -> Endpoint:
    """[execution] grpc; its other keys belong to Execution, which checks them."""
    table = settings.tables.get("execution", {})
    text = table.get("grpc", "")
    if not isinstance(text, str) or not text:
        raise SettingError(
            "SETTING_MISSING",
            "execution.grpc is missing",
            "execution.grpc",
            text,
            '"host:port"',
            hint="Correct titan.toml; `titan up` writes a whole one.",
        )
    return endpoint(text, "execution.grpc")
