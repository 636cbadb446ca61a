"""The Brain as a process of its own: started, asked, killed.

Owns titan.toml of a test and the process. Must never import the Brain.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from titan.brain.v1 import brain_service_pb2 as pb
from titan.brain.v1.brain_service_pb2_grpc import BrainServiceStub
from titan.brain.v1.operator_service_pb2_grpc import OperatorServiceStub
from titan_mesh import keys
from titan_mesh.errors import TitanError
from titan_mesh.nats_server import NatsServer
from titan_mesh.rpc.channel import open_channel

TOML = """
[mesh]
account = "paper-main"
venue = "paper"
policy = "policy/risk_policy.json"
instruments = "instruments"
[nats]
url = "{nats}"
monitor_url = "{monitor}"
[execution]
grpc = "{execution}"
[brain]
grpc = "127.0.0.1:{port}"
database = "brain.db"
[telemetry]
otlp_endpoint = ""
"""


def write_settings(home: Path, server: NatsServer, execution: object, port: int) -> None:
    """A titan.toml with what the Brain reads."""
    text = TOML.format(nats=server.url, monitor=server.monitor_url, execution=execution, port=port)
    (home / "titan.toml").write_text(text)


async def until(
    what: Callable[[], Awaitable[bool]], seconds: float = 20.0, step_s: float = 0.02
) -> None:
    """Returns when it is true; fails after that many seconds."""
    async with asyncio.timeout(seconds):
        while not await what():
            await asyncio.sleep(step_s)


class BrainProcess:
    """`python -m titan_brain` on one home."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.target = f"127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._channel = open_channel(
            self.target,
            principal="operator",
            secret=keys.read_grpc_key(home, "operator"),
            timeout_s=5.0,
        )
        self.brain = BrainServiceStub(self._channel)
        self.operator = OperatorServiceStub(self._channel)

    def start(self) -> None:
        """Starts the process; its log goes to log/brain.log."""
        with (self.home / "log" / "brain.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "titan_brain", "--home", str(self.home)],
                stderr=log,
                stdout=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    async def ready(self) -> None:
        """Returns when it answers."""

        async def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            try:
                await self.brain.GetTruth(pb.GetTruthRequest(), timeout=1)
            except TitanError:
                return False
            return True

        await until(answers)

    async def funnel(self) -> pb.GetFunnelResponse:
        """The funnel of all phases."""
        return await self.brain.GetFunnel(pb.GetFunnelRequest(), timeout=5)

    async def allocation(self) -> pb.GetAllocationResponse:
        """State, lease, cursor."""
        return await self.brain.GetAllocation(pb.GetAllocationRequest(), timeout=5)

    async def applied(self, lsn: int, seconds: float = 30.0) -> None:
        """Returns when that report is applied."""

        async def there() -> bool:
            return (await self.allocation()).applied_lsn >= lsn

        await until(there, seconds)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=10)

    def wait(self) -> int:
        """The exit code of a process that ends by itself."""
        assert self._process is not None
        return self._process.wait(timeout=20)

    def log(self) -> str:
        """What it wrote."""
        return (self.home / "log" / "brain.log").read_text()

    async def close(self) -> None:
        """Ends everything."""
        self.kill()
        await self._channel.close()
