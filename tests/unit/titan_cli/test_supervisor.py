"""The supervisor with small real processes: order, readiness, restarts, limits, stop."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from titan_cli.home.layout import Home
from titan_cli.home.pids import born_ticks
from titan_cli.supervisor import detached
from titan_cli.supervisor.child import ChildState
from titan_cli.supervisor.restarts import RestartBudget, RestartPolicy
from titan_cli.supervisor.services import Readiness, Service
from titan_cli.supervisor.supervise import Supervisor
from titan_mesh.clock import SystemClock
from titan_mesh.errors import TitanError

READY_THEN = """
import os, pathlib, sys, time
run = pathlib.Path(sys.argv[1])
(run / (sys.argv[2] + ".ready")).write_text(str(os.getpid()))
"""
SERVE = READY_THEN + "import signal\nsignal.pause()\n"
CRASH_ONCE_ASKED = (
    READY_THEN
    + """
while not (run / "crash").exists():
    time.sleep(0.01)
sys.exit(1)
"""
)
BOUND_S = 20.0


def service(home: Home, name: str, code: str, **wishes: object) -> Service:
    command = [sys.executable, "-c", code, str(home.run), name]
    fields = {"ready_seconds": 10.0, "stop_seconds": 3.0, "ready_file": f"{name}.ready"}
    return Service(name, lambda _: command, Readiness.PID_FILE, **{**fields, **wishes})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    for folder in home.folders():
        folder.mkdir(parents=True)
    return home


class Mesh:
    """A supervisor with what it said and braked for."""

    def __init__(self, home: Home, services: list[Service], policy: RestartPolicy) -> None:
        self.said: list[str] = []
        self.brakes: list[str] = []
        self.supervisor = Supervisor(
            home,
            services,
            policy,
            clock=SystemClock(),
            say=self.said.append,
            brake=self.brake,
            after_nats=self.nothing,
        )

    async def brake(self, text: str) -> None:
        self.brakes.append(text)

    async def nothing(self) -> None:
        return None

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND_S):
            while not condition():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def started(
    home: Home, services: list[Service], max_restarts: int = 3
) -> AsyncIterator[Mesh]:
    mesh = Mesh(home, services, RestartPolicy(max_restarts, 600_000, first_delay_ms=10))
    await mesh.supervisor.start()
    try:
        yield mesh
    finally:
        await mesh.supervisor.stop()


async def test_services_start_in_order_and_stop_in_reverse(home: Home) -> None:
    async with started(home, [service(home, "one", SERVE), service(home, "two", SERVE)]) as mesh:
        assert [line.split()[0] for line in mesh.said] == ["one", "two"]
        pids = [child.pid for child in mesh.supervisor.children.values()]
        assert all(pids)
        shown = json.loads(home.state.read_text())["services"]
        assert {name: entry["state"] for name, entry in shown.items()} == {
            "one": "ready",
            "two": "ready",
        }
    assert all(born_ticks(pid) < 0 for pid in pids)
    assert not list(home.run.glob("*.pid"))


async def test_a_killed_service_comes_back_and_is_counted(home: Home) -> None:
    async with started(home, [service(home, "one", SERVE)]) as mesh:
        child = mesh.supervisor.children["one"]
        first = child.pid
        child.kill()
        await mesh.until(lambda: child.state is ChildState.READY and child.pid not in (0, first))
        assert child.restarts == 1
        assert not mesh.brakes


async def test_too_many_crashes_pull_the_brake_and_end_the_mesh(home: Home) -> None:
    (home.run / "crash").touch()
    mesh = Mesh(
        home,
        [service(home, "one", CRASH_ONCE_ASKED)],
        RestartPolicy(2, 600_000, first_delay_ms=10),
    )
    (home.run / "crash").unlink()
    await mesh.supervisor.start()
    (home.run / "crash").touch()
    async with asyncio.timeout(BOUND_S):
        error = await mesh.supervisor.failed()
    await mesh.supervisor.stop()
    assert error.code == "RESTART_LIMIT"
    assert error.limit == "2 restarts in 600000 ms"
    assert mesh.brakes == ["one crashed too often"]
    assert mesh.supervisor.children["one"].state is ChildState.FAILED


@pytest.mark.parametrize("code", [64, 70, 78])
async def test_an_exit_that_no_restart_heals_is_final(home: Home, code: int) -> None:
    script = CRASH_ONCE_ASKED.replace("sys.exit(1)", f"sys.exit({code})")
    async with started(home, [service(home, "one", script)]) as mesh:
        (home.run / "crash").touch()
        async with asyncio.timeout(BOUND_S):
            error = await mesh.supervisor.failed()
        assert mesh.supervisor.children["one"].restarts == 0
        assert f"exit code {code}" in error.value


async def test_a_finished_feed_is_no_crash(home: Home) -> None:
    script = CRASH_ONCE_ASKED.replace("sys.exit(1)", "sys.exit(0)")
    async with started(home, [service(home, "one", script, may_finish=True)]) as mesh:
        child = mesh.supervisor.children["one"]
        (home.run / "crash").touch()
        await mesh.until(lambda: child.state is ChildState.DONE)
        assert child.restarts == 0


async def test_a_service_that_dies_at_start_is_named_with_its_log(home: Home) -> None:
    broken = service(home, "two", "import sys; sys.exit('no such port')")
    mesh = Mesh(home, [service(home, "one", SERVE), broken], RestartPolicy(3, 600_000))
    with pytest.raises(TitanError) as caught:
        await mesh.supervisor.start()
    assert caught.value.code == "SERVICE_EXITED"
    assert caught.value.field == "two"
    assert "no such port" in caught.value.message
    assert mesh.supervisor.children["one"].pid == 0


async def test_a_service_that_never_gets_ready_is_bounded(home: Home) -> None:
    silent = service(home, "one", "import signal; signal.pause()", ready_seconds=0.3)
    mesh = Mesh(home, [silent], RestartPolicy(3, 600_000))
    with pytest.raises(TitanError, match="SERVICE_NOT_READY"):
        await mesh.supervisor.start()
    assert mesh.supervisor.children["one"].pid == 0


async def test_a_service_that_ignores_sigterm_is_killed(home: Home) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE
    async with started(home, [service(home, "one", deaf, stop_seconds=0.3)]) as mesh:
        pid = mesh.supervisor.children["one"].pid
    assert born_ticks(pid) < 0


async def test_a_stale_ready_file_is_not_believed(home: Home) -> None:
    (home.run / "one.ready").write_text(str(os.getpid()))
    async with started(home, [service(home, "one", SERVE)]) as mesh:
        ready = (home.run / "one.ready").read_text()
        assert ready == str(mesh.supervisor.children["one"].pid)


def test_restarts_back_off_and_are_forgotten_after_the_window() -> None:
    budget = RestartBudget(RestartPolicy(3, 1_000, first_delay_ms=100))
    ms = 1_000_000
    assert [budget.next_delay_ms(at * ms) for at in (0, 10, 20, 30)] == [100, 200, 400, None]
    assert budget.next_delay_ms(1_001 * ms) == 400
    assert RestartBudget(RestartPolicy(0, 1_000)).next_delay_ms(0) is None


async def test_stopping_a_home_with_stale_pid_files_does_nothing(home: Home) -> None:
    home.pid_file("supervisor").write_text("999999 1\n")
    home.pid_file("venue").write_text(f"{os.getpid()} 1\n")
    detached.require_stopped(home)
    assert await detached.stop(home) == []


async def test_orphans_are_found_and_stopped(home: Home) -> None:
    async with started(home, [service(home, "venue", SERVE)]) as mesh:
        with pytest.raises(TitanError, match="MESH_RUNNING") as caught:
            detached.require_stopped(home)
        assert "titan down" in caught.value.hint
        mesh.supervisor._stopping = True
        assert await detached.stop(home) == ["venue"]
        detached.require_stopped(home)
