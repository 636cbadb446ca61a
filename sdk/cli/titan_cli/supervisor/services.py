"""The table of the mesh's processes in start order. Must never start one itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from titan_mesh.errors import TitanError
from titan_mesh.nats_server import binary

from titan_cli.home.layout import Home


class Readiness(StrEnum):
    """How a process shows that it is ready."""

    NATS_INFO = "INFO on its port"
    PID_FILE = "ready file with its pid"
    GRPC_HEALTH = "gRPC health SERVING"
    PROGRESS = "progress file"


# Exit codes that no restart can heal: usage or settings, journal I/O, policy or identity refused.
FINAL_EXITS = frozenset({64, 70, 78})


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the mesh."""

    name: str
    command: Callable[[Home], list[str]]
    readiness: Readiness
    ready_seconds: float
    stop_seconds: float
    ready_file: str = ""
    address: str = ""
    """Setting with the gRPC address, for GRPC_HEALTH."""
    may_finish: bool = False
    """True: exit 0 is the end of its work, not a crash."""


def _nats_command(home: Home) -> list[str]:
    return [str(binary()), "-c", str(home.nats / "nats.conf")]


def _module(name: str) -> Callable[[Home], list[str]]:
    return lambda home: [sys.executable, "-m", name, "--home", str(home.root)]


NATS = Service("nats", _nats_command, Readiness.NATS_INFO, 15, 5)
VENUE = Service(
    "venue", _module("titan_market.venue"), Readiness.PID_FILE, 20, 5, ready_file="venue.ready"
)
EXECUTION = Service(
    "execution", _module("titan_execution"), Readiness.GRPC_HEALTH, 30, 8, address="execution"
)
BRAIN = Service("brain", _module("titan_brain"), Readiness.GRPC_HEALTH, 30, 8, address="brain")
SCAVENGER = Service(
    "scavenger",
    _module("titan_scavenger"),
    Readiness.PID_FILE,
    30,
    5,
    ready_file="scavenger.ready",
)
FEED = Service(
    "feed",
    _module("titan_market.feed"),
    Readiness.PROGRESS,
    20,
    5,
    ready_file="feed.json",
    may_finish=True,
)

IN_ORDER = (NATS, VENUE, EXECUTION, BRAIN, SCAVENGER, FEED)
BY_NAME = {service.name: service for service in IN_ORDER}


def chosen(names: list[str]) -> tuple[Service, ...]:
    """Services of a list of names, in start order; empty = all."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise TitanError(
            "ARGUMENT_UNKNOWN_SERVICE",
            f"there is no service {unknown[0]}",
            "--only",
            unknown[0],
            ", ".join(BY_NAME),
            hint="Name services of the list, separated by commas.",
        )
    return tuple(service for service in IN_ORDER if not names or service.name in names)
