"""A mesh from the outside: is it running, start it apart, stop it. Never supervises."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from titan_mesh.errors import TitanError

from titan_cli.home import pids
from titan_cli.home.layout import Home
from titan_cli.home.pids import ProcessId
from titan_cli.supervisor.child import POLL_SECONDS, tail
from titan_cli.supervisor.services import IN_ORDER

SUPERVISOR = "supervisor"
START_SECONDS = 150.0
STOP_SECONDS = 60.0
_KILL_SECONDS = 5.0


def supervisor_of(home: Home) -> ProcessId | None:
    """The living supervisor of a home."""
    return pids.read_living(home.pid_file(SUPERVISOR))


def orphans_of(home: Home) -> dict[str, ProcessId]:
    """Living services of a home whose supervisor is gone, in start order."""
    found = {s.name: pids.read_living(home.pid_file(s.name)) for s in IN_ORDER}
    return {name: process for name, process in found.items() if process is not None}


def require_stopped(home: Home) -> None:
    """Raises MESH_RUNNING when the home has a supervisor or left-over services."""
    running = supervisor_of(home)
    left = {} if running else orphans_of(home)
    if running is None and not left:
        return
    names = SUPERVISOR if running else ", ".join(left)
    held = running.pid if running else next(iter(left.values())).pid
    raise TitanError(
        "MESH_RUNNING",
        f"a mesh already runs in this home ({names})",
        "home",
        f"{home.root} (pid {held})",
        "one mesh per home",
        hint=f"Stop it with: titan down --home {home.root}   or use another --home",
    )


async def start(home: Home, arguments: list[str]) -> int:
    """Starts `titan up` in the background; returns the supervisor's pid when all is ready."""
    home.logs.mkdir(parents=True, exist_ok=True)
    log_path = home.log(SUPERVISOR)
    ready = home.run / "mesh.ready"
    ready.unlink(missing_ok=True)
    with log_path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "titan_cli", "up", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not _is_ready(ready, process.pid):
                if process.returncode is not None:
                    raise TitanError(
                        "SERVICE_EXITED",
                        f"the mesh did not start\n{tail(log_path)}",
                        SUPERVISOR,
                        f"exit code {process.returncode}",
                        hint=f"Read {log_path}",
                    )
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        process.terminate()
        raise TitanError(
            "SERVICE_NOT_READY",
            f"the mesh did not become ready\n{tail(log_path)}",
            SUPERVISOR,
            limit=f"{START_SECONDS:.0f} s",
            hint=f"Read {log_path}",
        ) from None
    return process.pid


def _is_ready(path: Path, pid: int) -> bool:
    try:
        return path.read_text().strip() == str(pid)
    except OSError:
        return False


async def stop(home: Home) -> list[str]:
    """Stops the mesh of a home, orphans included; the names of what was stopped."""
    stopped: list[str] = []
    supervisor = supervisor_of(home)
    if supervisor is not None:
        os.kill(supervisor.pid, signal.SIGTERM)
        if not await _gone(supervisor, STOP_SECONDS):
            os.kill(supervisor.pid, signal.SIGKILL)
            await _gone(supervisor, _KILL_SECONDS)
        stopped.append(SUPERVISOR)
        home.pid_file(SUPERVISOR).unlink(missing_ok=True)
    by_name = {service.name: service for service in IN_ORDER}
    for name, process in reversed(orphans_of(home).items()):
        os.kill(process.pid, signal.SIGTERM)
        if not await _gone(process, by_name[name].stop_seconds):
            os.kill(process.pid, signal.SIGKILL)
            await _gone(process, _KILL_SECONDS)
        home.pid_file(name).unlink(missing_ok=True)
        stopped.append(name)
    return stopped


async def _gone(process: ProcessId, seconds: float) -> bool:
    """True when the process ended within the time."""
    try:
        async with asyncio.timeout(seconds):
            # A process that is no child of ours tells its end to nobody.
            while pids.lives(process):  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True
