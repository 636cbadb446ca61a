"""Pytest plugin of all tests: real servers, real homes. tests/conftest.py loads it."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from titan_mesh import operator_keys
from titan_mesh.bus import streams
from titan_mesh.bus.connection import Bus, connect
from titan_mesh.clock import SystemClock
from titan_mesh.ids import SeededRng
from titan_mesh.nats_server import NatsOptions, NatsServer
from titan_mesh.telemetry.logs import Log

REPOSITORY = Path(__file__).parents[2]

MakeServer = Callable[..., Awaitable[NatsServer]]
MakeBus = Callable[..., Awaitable[Bus]]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a path that is short enough for Unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir=os.environ.get("TMPDIR", "/tmp")))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def log_lines() -> io.StringIO:
    """Where the log fixture writes."""
    return io.StringIO()


@pytest.fixture
def log(log_lines: io.StringIO) -> Log:
    """A log whose lines a test can read."""
    return Log("test", SystemClock(), log_lines)


@pytest.fixture
async def make_nats_server(tmp_path: Path) -> AsyncIterator[MakeServer]:
    """Starts real servers on free ports; each is killed at the end."""
    started: list[NatsServer] = []

    async def make(**options: object) -> NatsServer:
        folder = tmp_path / f"nats-{len(started)}"
        server = NatsServer(NatsOptions(folder=folder, **options))  # type: ignore[arg-type]
        started.append(server)
        await server.start()
        return server

    yield make
    for server in started:
        server.kill()


@pytest.fixture
async def nats_server(make_nats_server: MakeServer) -> NatsServer:
    """One running server without streams."""
    return await make_nats_server()


@pytest.fixture
async def make_bus(nats_server: NatsServer, log: Log) -> AsyncIterator[MakeBus]:
    """Connections to the server of this test."""
    opened: list[Bus] = []

    async def make(name: str = "test") -> Bus:
        bus = await connect(nats_server.url, name=name, log=log)
        opened.append(bus)
        return bus

    yield make
    for bus in opened:
        await bus.close()


@pytest.fixture
async def bus(make_bus: MakeBus) -> Bus:
    """A connection to a server that has all streams of the topology."""
    connected = await make_bus()
    await streams.apply(connected)
    return connected


@pytest.fixture
def titan_home(short_path: Path) -> Path:
    """A TITAN_HOME with keys, policy and instruments, but no titan.toml."""
    home = short_path / "h"
    home.mkdir()
    for name in ("run", "journal", "nats", "venue", "log"):
        (home / name).mkdir()
    operator_keys.init_keys(home, SeededRng(1))
    for name in ("policy", "instruments"):
        shutil.copytree(REPOSITORY / "compose" / name, home / name)
    return home
