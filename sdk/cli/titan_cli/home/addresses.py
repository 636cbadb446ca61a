"""Ports of the mesh: free ones, and who holds a taken one. Must never keep a socket open."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from titan_mesh.errors import TitanError
from titan_mesh.ids import Rng

LOOPBACK = "127.0.0.1"
# Below the kernel's ephemeral range, so that no outgoing connection takes one meanwhile.
AUTO_LOW, AUTO_HIGH = 20_000, 32_000
MAX_AUTO_TRIES = 200
_LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per listener."""

    nats: int = 4222
    monitor: int = 8222
    brain: int = 3100
    execution: int = 3002

    def named(self) -> tuple[tuple[str, int], ...]:
        """(setting, port) in start order."""
        return (
            ("nats.url", self.nats),
            ("nats.monitor_url", self.monitor),
            ("execution.grpc", self.execution),
            ("brain.grpc", self.brain),
        )


def is_free(port: int) -> bool:
    """True when the port can be bound on loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(randomness: Rng) -> Ports:
    """Four free ports, distinct."""
    found: list[int] = []
    for _ in range(MAX_AUTO_TRIES):
        roll = int.from_bytes(randomness.randbytes(4), "big")
        port = AUTO_LOW + roll % (AUTO_HIGH - AUTO_LOW)
        if port not in found and is_free(port):
            found.append(port)
        if len(found) == 4:
            return Ports(*found)
    raise TitanError(
        code="PORT_OCCUPIED",
        message=f"no four free ports after {MAX_AUTO_TRIES} tries",
        field="ports",
        value=f"{len(found)} free",
        limit=f"{AUTO_LOW}..{AUTO_HIGH - 1}",
        hint="Stop what listens there, or name free ports in titan.toml.",
    )


def require_free(ports: Ports) -> None:
    """Raises PORT_OCCUPIED naming the holder of the first taken port."""
    for setting, port in ports.named():
        if is_free(port):
            continue
        holder = holder_of(port)
        by = f" by {holder}" if holder else ""
        raise TitanError(
            code="PORT_OCCUPIED",
            message=f"port {port} is taken{by}",
            field=setting,
            value=f"{LOOPBACK}:{port}",
            limit="a free port",
            hint="Stop that process, or start with: titan up --ports auto",
        )


def holder_of(port: int) -> str:
    """Name and pid of the process that listens on a port; empty when it cannot be seen."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in Path("/proc").glob("[0-9]*"):
        if wanted.intersection(_open_files(folder)):
            return f"{_name_of(folder)} (pid {folder.name})"
    return ""


def _open_files(process: Path) -> Iterator[str]:
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            # Descriptors come and go while they are listed.
            with suppress(OSError):
                yield str(link.readlink())


def _name_of(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "a process"


def _listening_inodes(port: int) -> Sequence[str]:
    found: list[str] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            cells = line.split()
            if cells[3] == _LISTEN and int(cells[1].rsplit(":", 1)[1], 16) == port:
                found.append(cells[9])
    return found
