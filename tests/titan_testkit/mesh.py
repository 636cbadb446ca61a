"""A mesh of real processes in a home of its own, driven without an event loop.

Owns home, start, readiness, signals and end of processes. Must never reach into a process: what
happens inside is seen through its wires, its files and its log.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from titan_cli.home import fresh, settings_file
from titan_cli.home.layout import Home
from titan_cli.home.settings_file import Settings, Value
from titan_cli.supervisor import readiness
from titan_cli.supervisor.services import BY_NAME
from titan_mesh.bus import streams
from titan_mesh.bus.connection import connect
from titan_mesh.clock import SystemClock
from titan_mesh.ids import SystemRng
from titan_mesh.telemetry.logs import Log

WAIT_S = 15.0
START_S = 30.0
STOP_S = 10.0


def until(
    what: str,
    probe: Callable[[], bool],
    wait_s: float = WAIT_S,
    seen: Callable[[], object] = lambda: "",
) -> None:
    """Waits for a probe to hold; a failed test, with what was seen, when it does not in time."""
    deadline = time.monotonic() + wait_s
    while not probe():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {wait_s} s: {what}; seen: {seen()}")
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended by itself."""

    code: int
    log: str


class Mesh:
    """Processes of one home; `close` ends what still runs."""

    def __init__(self, root: Path, overrides: Mapping[str, Value] | None = None) -> None:
        self.home = Home(root)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        fresh.prepare(
            self.home,
            auto_ports=True,
            overrides=overrides or {},
            compose=None,
            rng=SystemRng(),
        )

    @property
    def settings(self) -> Settings:
        """titan.toml as it is now."""
        return settings_file.read(self.home.toml)

    def set(self, section: str, **entries: Value) -> None:
        """Changes entries of titan.toml; known to the services started afterwards."""
        settings = self.settings
        settings[section] = {**settings[section], **entries}
        settings_file.write(self.home.toml, settings)

    def address(self, service: str) -> str:
        """host:port of a gRPC service."""
        return settings_file.text_of(self.settings, service, "grpc")

    # ---- processes -----------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Starts services in that order, each ready before the next."""
        for name in names:
            process = self.spawn(name)
            until(f"{name} is ready", lambda n=name, p=process: self._ready(n, p), START_S)
            if name == "nats":
                asyncio.run(self._provision())

    def spawn(self, name: str) -> subprocess.Popen[bytes]:
        """Starts a service and does not wait for it."""
        assert name not in self._running, f"{name} runs already"
        service = BY_NAME[name]
        readiness.clear(self.home, service)
        with self.home.log(name).open("ab") as log:
            process = subprocess.Popen(
                service.command(self.home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._running[name] = process
        return process

    def runs_to_its_end(self, name: str, wait_s: float = START_S) -> Ended:
        """Starts one more process of a service, which must end by itself: its code and its log."""
        process = subprocess.Popen(
            BY_NAME[name].command(self.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output, _ = process.communicate(timeout=wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise AssertionError(f"{name} did not refuse to run:\n{output.decode()}") from None
        return Ended(process.returncode, output.decode())

    def kill(self, name: str) -> None:
        """kill -9, and wait for the kernel to have done it."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{name} ignored SIGTERM for {STOP_S} s") from None

    def signal(self, name: str, number: signal.Signals) -> None:
        """Any other signal."""
        self._running[name].send_signal(number)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self._running[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self._running[name].send_signal(signal.SIGCONT)

    def runs(self, name: str) -> bool:
        """True while the process lives."""
        return name in self._running and self._running[name].poll() is None

    def log_of(self, name: str) -> str:
        """What the processes of a service logged so far."""
        path = self.home.log(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        """Ends everything, at once."""
        for process in reversed(self._running.values()):
            process.kill()
            process.wait()
        self._running.clear()

    def _ready(self, name: str, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            del self._running[name]
            raise AssertionError(
                f"{name} ended with {process.returncode} before it was ready:\n"
                + self.log_of(name)[-4000:]
            )
        return asyncio.run(readiness.is_ready(self.home, BY_NAME[name], process.pid))

    async def _provision(self) -> None:
        """Streams on a server without any; memory streams, which a restart loses."""
        bus = await connect(self.bus_url, name="testkit", log=Log("testkit", SystemClock()))
        try:
            if await streams.provisioned(bus):
                await streams.restore_memory_streams(bus)
            else:
                await streams.apply(bus)
        finally:
            await bus.close()

    @property
    def bus_url(self) -> str:
        """Where NATS listens."""
        return settings_file.text_of(self.settings, "nats", "url")

    def logs(self, name: str, words: str) -> None:
        """Waits until a service logged the words."""
        until(
            f"{name} logs {words}",
            lambda: words in self.log_of(name),
            seen=lambda: self.log_of(name)[-2000:],
        )
