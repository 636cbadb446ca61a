"""`titan up`: one mesh from start to stop, in this process. Must never run beside another one."""

from __future__ import annotations

import asyncio
import os
import signal
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.risk.v1 import trading_state_pb2
from titan_mesh.clock import Clock, SystemClock
from titan_mesh.errors import TitanError
from titan_mesh.ids import SystemRng
from titan_mesh.policy_hash import Policy, load_policy

from titan_cli.exits import Exit
from titan_cli.home import fresh, pids
from titan_cli.home.layout import Home
from titan_cli.home.settings_file import Value
from titan_cli.operator import streams
from titan_cli.operator.link import connect
from titan_cli.output import Output
from titan_cli.supervisor import services
from titan_cli.supervisor.detached import SUPERVISOR
from titan_cli.supervisor.restarts import RestartPolicy
from titan_cli.supervisor.services import Service
from titan_cli.supervisor.supervise import Say, Supervisor


@dataclass(frozen=True, slots=True)
class Wishes:
    """What `titan up` was asked for."""

    auto_ports: bool = False
    compose: Path | None = None
    overrides: Mapping[str, Value] = field(default_factory=dict)
    services: tuple[Service, ...] = services.IN_ORDER


def wishes_of(chosen: Namespace) -> Wishes:
    """Wishes of the command line."""
    overrides: dict[str, Value] = dict(_parsed(entry) for entry in chosen.set)
    overrides.update(market_of(chosen.data, chosen.seed))
    return Wishes(
        auto_ports=chosen.ports == "auto",
        compose=Path(chosen.compose) if chosen.compose else None,
        overrides=overrides,
        services=services.chosen([name for name in chosen.only.split(",") if name]),
    )


def market_of(data: str | None, seed: int | None) -> dict[str, Value]:
    """Settings that choose the market."""
    overrides: dict[str, Value] = {}
    if data:
        overrides["feed.source"] = "capture"
        overrides["feed.data"] = str(Path(data).expanduser().absolute())
    if seed is not None:
        overrides["feed.seed"] = seed
        overrides["venue.seed"] = seed
    return overrides


def _parsed(entry: str) -> tuple[str, Value]:
    name, equals, text = entry.partition("=")
    if not equals or "." not in name:
        raise TitanError(
            "ARGUMENT_INVALID",
            f"--set {entry} is not section.key=value",
            "--set",
            entry,
            "section.key=value",
            hint="For example: --set feed.seed=3",
        )
    return name, text


def arguments_of(home: Home, chosen: Namespace) -> list[str]:
    """The same wishes for a supervisor in the background."""
    words = ["--home", str(home.root), "--ports", chosen.ports]
    for name in ("data", "seed", "compose", "only"):
        value = getattr(chosen, name)
        if value not in (None, ""):
            words += [f"--{name}", str(value)]
    for entry in chosen.set:
        words += ["--set", entry]
    return words


@asynccontextmanager
async def running(home: Home, wishes: Wishes, say: Say, clock: Clock) -> AsyncIterator[Supervisor]:
    """A mesh that is up inside the block and down after it."""
    settings = fresh.prepare(
        home,
        auto_ports=wishes.auto_ports,
        overrides=wishes.overrides,
        compose=wishes.compose,
        rng=SystemRng(),
    )
    policy = load_policy(home.policy)
    pids.write(home.pid_file(SUPERVISOR), os.getpid())
    fresh.write_ports(home, settings)

    async def provision() -> None:
        await streams.provision(home)

    async def pull_brake(text: str) -> None:
        await _pull_brake(home, text, say)

    supervisor = Supervisor(
        home,
        wishes.services,
        restart_policy(policy),
        clock=clock,
        say=say,
        brake=pull_brake,
        after_nats=provision,
    )
    try:
        await supervisor.start()
        yield supervisor
    finally:
        await supervisor.stop()
        home.pid_file(SUPERVISOR).unlink(missing_ok=True)
        (home.run / "mesh.ready").unlink(missing_ok=True)


def restart_policy(policy: Policy) -> RestartPolicy:
    """The policy's restart limit."""
    limits = policy.pb.restarts
    return RestartPolicy(limits.max_restarts, limits.window_ms)


async def _pull_brake(home: Home, text: str, say: Say) -> None:
    """Halts at the edge when it still answers; a dead edge trades nothing."""
    request = control_pb2.SetTradingStateRequest(
        state=trading_state_pb2.TRADING_STATE_HALTED,
        operator_id=SUPERVISOR,
        text=text,
        cause=trading_state_pb2.BREAKER_CAUSE_RESTARTS,
    )
    try:
        async with connect(home) as link:
            request.account = link.account
            answer = await link.set_trading_state(request)
        say(f"  HALTED, epoch {answer.halt_epoch}: {text}")
    except TitanError as error:
        say(f"  the edge could not be told to halt: {error.code}")


async def run(home: Home, wishes: Wishes, output: Output) -> Exit:
    """Runs the mesh until SIGTERM, Ctrl-C or a process that may not come back."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    output.progress(f"starting the mesh in {home.root}")
    starting = running(home, wishes, output.progress, SystemClock())
    async with starting as supervisor:
        (home.run / "mesh.ready").write_text(f"{os.getpid()}\n")
        output.text(f"the mesh is up; addresses in {home.ports}; stop it with Ctrl-C")
        stopped = asyncio.create_task(stop.wait())
        failed = asyncio.create_task(supervisor.failed())
        await asyncio.wait((stopped, failed), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if failed.done():
            raise failed.result()
        failed.cancel()
        output.progress("stopping")
    output.result({"home": str(home.root), "stopped": True})
    return Exit.DONE
