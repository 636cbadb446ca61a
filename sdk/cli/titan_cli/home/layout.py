"""Where everything lies under TITAN_HOME. Must never create or read a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from titan_mesh.errors import TitanError

MAX_SOCKET_PATH_BYTES = 107
DEFAULT_HOME = ".titan"


@dataclass(frozen=True, slots=True)
class Home:
    """One mesh on this machine."""

    root: Path

    @property
    def toml(self) -> Path:
        """Settings of every service."""
        return self.root / "titan.toml"

    @property
    def run(self) -> Path:
        """Sockets, pid files, ready files."""
        return self.root / "run"

    @property
    def keys(self) -> Path:
        """Secrets, mode 0700."""
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "log"

    @property
    def nats(self) -> Path:
        """Configuration and store of the embedded NATS server."""
        return self.root / "nats"

    @property
    def policy(self) -> Path:
        """The policy in force."""
        return self.root / "policy" / "risk_policy.json"

    @property
    def instruments(self) -> Path:
        """Instrument specifications."""
        return self.root / "instruments"

    @property
    def state(self) -> Path:
        """What the supervisor last wrote about its processes."""
        return self.run / "mesh.json"

    @property
    def ports(self) -> Path:
        """Addresses in use, for scripts."""
        return self.run / "ports.json"

    def pid_file(self, service: str) -> Path:
        """Pid file of a process."""
        return self.run / f"{service}.pid"

    def log(self, service: str) -> Path:
        """Log of a process."""
        return self.logs / f"{service}.log"

    def folders(self) -> tuple[Path, ...]:
        """Folders that a fresh home has."""
        venue, journal = self.root / "venue", self.root / "journal"
        policy = self.root / "policy"
        return (self.run, self.logs, self.nats, venue, journal, policy, self.instruments)


def locate(named: str | None, environment: dict[str, str] | None = None) -> Home:
    """The home of a command: --home, else TITAN_HOME, else .titan; its sockets must fit."""
    variables = os.environ if environment is None else environment
    root = Path(named or variables.get("TITAN_HOME") or DEFAULT_HOME).expanduser().absolute()
    home = Home(root)
    longest = home.run / "execution.sock"
    length = len(os.fsencode(longest))
    if length > MAX_SOCKET_PATH_BYTES:
        raise TitanError(
            code="SOCKET_PATH_TOO_LONG",
            message="a Unix socket cannot be bound below this home",
            field="home",
            value=f"{length} bytes: {longest}",
            limit=f"{MAX_SOCKET_PATH_BYTES} bytes",
            hint="Choose a shorter --home or TITAN_HOME.",
        )
    return home
