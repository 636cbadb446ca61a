"""One process of the mesh: started, seen ready, stopped. Must never decide whether to restart."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from enum import StrEnum
from pathlib import Path

from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_cli.home import pids
from titan_cli.home.layout import Home
from titan_cli.supervisor import readiness
from titan_cli.supervisor.services import Service

POLL_SECONDS = 0.02
LOG_TAIL_LINES = 6
_LOG_TAIL_BYTES = 8192


class ChildState(StrEnum):
    """Where a process stands."""

    IDLE = "idle"
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting to restart"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


class Child:
    """A service's process, present or past."""

    def __init__(self, home: Home, service: Service, clock: Clock) -> None:
        self.service = service
        self.state = ChildState.IDLE
        self.restarts = 0
        self.exit_code: int | None = None
        self.ready_at_ns = 0
        self._home = home
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Pid of the living process; 0 = none."""
        if self._process is None or self._process.returncode is not None:
            return 0
        return self._process.pid

    async def start(self) -> None:
        """Starts it and returns when it is ready; SERVICE_EXITED or SERVICE_NOT_READY otherwise."""
        readiness.clear(self._home, self.service)
        command = self.service.command(self._home)
        self.state = ChildState.STARTING
        with self._home.log(self.service.name).open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                # Ctrl-C at the terminal reaches the supervisor alone, which stops in order.
                start_new_session=True,
            )
        pids.write(self._home.pid_file(self.service.name), self._process.pid)
        await self._until_ready(self._process)
        self.state = ChildState.READY
        self.ready_at_ns = self._clock.unix_ns()

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(self.service.ready_seconds):
                while not await readiness.is_ready(self._home, self.service, process.pid):
                    if process.returncode is not None:
                        raise self._exited(process.returncode)
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TitanError(
                "SERVICE_NOT_READY",
                f"{self.service.name} did not become ready\n{self.log_tail()}",
                self.service.name,
                str(self.service.readiness),
                f"{self.service.ready_seconds:.0f} s",
                hint=f"Read {self._home.log(self.service.name)}",
            ) from None

    def _exited(self, code: int) -> TitanError:
        self.exit_code = code
        return TitanError(
            "SERVICE_EXITED",
            f"{self.service.name} ended before it was ready\n{self.log_tail()}",
            self.service.name,
            f"exit code {code}",
            str(self.service.readiness),
            hint=f"Read {self._home.log(self.service.name)}",
        )

    async def ended(self) -> int:
        """Waits for the end of the process; its exit code, negative for a signal."""
        assert self._process is not None, "a child is awaited after its start"
        self.exit_code = await self._process.wait()
        return self.exit_code

    def kill(self) -> None:
        """SIGKILL at once, as a crash would."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL when the service overstays; returns when it is gone."""
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(self.service.stop_seconds):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            self.exit_code = process.returncode
        if self.state not in (ChildState.DONE, ChildState.FAILED):
            self.state = ChildState.STOPPED
        self._home.pid_file(self.service.name).unlink(missing_ok=True)

    def log_tail(self) -> str:
        """The newest lines of its log, indented."""
        return tail(self._home.log(self.service.name))


def tail(path: Path) -> str:
    """The newest lines of a file, indented; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in deque(text.splitlines(), LOG_TAIL_LINES))
