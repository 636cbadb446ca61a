"""Composition root of Execution: the only module that knows every part.

Owns the order of start and stop. Must never hold logic that a part could hold.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from titan.execution.v1 import execution_control_service_pb2_grpc as control_grpc
from titan.execution.v1 import execution_service_pb2_grpc as execution_grpc
from titan.risk.v1 import trading_state_pb2
from titan_mesh import keys as mesh_keys
from titan_mesh.bus.backoff import Patience
from titan_mesh.bus.connection import Bus, connect
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.ids import IdSource, Rng
from titan_mesh.instruments import Instrument, load_instruments
from titan_mesh.policy_hash import Policy, load_policy
from titan_mesh.rpc.server import RpcServer
from titan_mesh.settings import NatsSettings, Settings, TelemetrySettings, read_settings
from titan_mesh.telemetry.logs import Log, bridge_libraries

from titan_execution.config import ExecutionSettings, venue_socket
from titan_execution.core.host import EngineHost
from titan_execution.core.journal import Journal
from titan_execution.core.journal_reader import JournalTail
from titan_execution.core.loop import EXIT_STOPPED, Loop
from titan_execution.core.mac import Keys
from titan_execution.core.ring import Ring
from titan_execution.flatten import Flattener
from titan_execution.gateway.build import build_engine
from titan_execution.gateway.door import Door
from titan_execution.gateway.listener import close_listener, open_listener
from titan_execution.identity import Identity, identity_of
from titan_execution.outbox.reports import PATIENCE_S, ReportOutbox
from titan_execution.outbox.verdicts import VerdictPublisher
from titan_execution.recovery.replay import recover
from titan_execution.rpc.execution_control_service import ControlRpc
from titan_execution.rpc.execution_service import ExecutionRpc
from titan_execution.truth.snapshot import SnapshotTask

CONTROL_BYTES = 1 << 20
OUTPUT_BYTES = 1 << 23
EXIT_JOURNAL = 70
CONNECT_S = 2.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is read from disk before anything opens."""

    settings: Settings
    own: ExecutionSettings
    nats: NatsSettings
    venue_socket: Path
    policy: Policy
    instruments: dict[str, Instrument]
    identity: Identity
    fastpath_keys: list[tuple[int, str, bytes]]
    grpc_secrets: dict[str, bytes]
    operator_publics: dict[str, bytes]


def read_facts(home: Path) -> Facts:
    """Settings, policy, instruments, keys; each fault is a TitanError with its code."""
    settings = read_settings(home)
    mesh = settings.mesh()
    own = settings.section("execution", ExecutionSettings)
    own.check()
    policy = load_policy(mesh.policy)
    ring = mesh_keys.read_fastpath_keys(home).values()
    return Facts(
        settings=settings,
        own=own,
        nats=settings.nats(),
        venue_socket=venue_socket(settings),
        policy=policy,
        instruments=load_instruments(mesh.instruments),
        identity=identity_of(mesh.account, mesh.venue, policy),
        fastpath_keys=[(key.key_id, key.principal, key.secret) for key in ring],
        grpc_secrets=mesh_keys.read_grpc_keys(home),
        operator_publics=mesh_keys.read_operator_publics(home),
    )


class Execution:
    """One account's Execution, from recovery to orderly stop."""

    def __init__(self, facts: Facts, clock: Clock, rng: Rng, log: Log, plant: str = "") -> None:
        self._facts = facts
        self._clock = clock
        self._log = log
        self._ids = IdSource(clock, rng)
        self._stop = asyncio.Event()
        self._bus_stop = asyncio.Event()
        self._ended = asyncio.Event()
        own = facts.own
        self._journal = Journal(
            own.journal,
            facts.identity.account,
            segment_bytes=own.segment_bytes,
            durability=own.durability,
        )
        self._host = self._recovered(plant)
        self._control = Ring(CONTROL_BYTES)
        self._output = Ring(OUTPUT_BYTES)
        self._door = Door(self._control, self._output)
        self._tasks: list[asyncio.Task[None]] = []

    def _recovered(self, plant: str) -> EngineHost:
        identity = self._facts.identity
        host = build_engine(
            identity.account,
            identity.venue,
            self._facts.policy,
            self._facts.instruments,
            plant=plant,
        )
        found = recover(host, self._journal, self._facts.own.journal, self._clock)
        self._log.info(
            "recovered",
            records=found.records,
            epoch=found.epoch,
            unknown_orders=found.unknown_orders,
            halted=found.halted,
            torn_bytes=self._journal.recovered.torn_bytes,
            state_hash=f"{found.state_hash:016x}",
            policy_hash=identity.policy_hash,
        )
        return host

    async def run(self) -> None:
        """Serves until a stop signal."""
        listener = open_listener(self._facts.own.socket)
        try:
            await self._serve(listener)
        finally:
            close_listener(listener, self._facts.own.socket)
            self._journal.close()

    async def _serve(self, listener: socket.socket) -> None:
        facts = self._facts
        loop = Loop(
            self._host,
            self._journal,
            Keys(facts.fastpath_keys),
            self._control,
            self._output,
            listener.fileno(),
            bytes(facts.venue_socket),
            facts.own.spin_us,
        )
        self._door.open()
        thread = threading.Thread(
            target=self._engine, args=(loop, asyncio.get_running_loop()), name="engine"
        )
        thread.start()
        try:
            server, control = await self._open_rpc()
            self._tasks.append(asyncio.create_task(self._bus_side(control)))
            self._on_signals()
            await server.set_serving(serving=True)
            self._log.info("ready", socket=facts.own.socket, grpc=server.endpoint)
            await self._stop.wait()
            await server.stop()
        finally:
            await self._wind_down()
            thread.join()

    def _engine(self, loop: Loop, main: asyncio.AbstractEventLoop) -> None:
        """The engine's thread; a failed journal ends the process before anyone can answer."""
        try:
            code = loop.run(self._facts.own.cpu)
        except BaseException as fault:
            self._log.fault("engine_died", fault)
            os._exit(EXIT_JOURNAL)
        if code != EXIT_STOPPED:
            self._log.error("journal_failed", exit_code=code)
            os._exit(code)
        main.call_soon_threadsafe(self._ended.set)

    async def _open_rpc(self) -> tuple[RpcServer, ControlRpc]:
        facts = self._facts
        traced = start_tracing(facts.settings.telemetry())
        server = RpcServer(facts.own.grpc, facts.grpc_secrets, self._log, traced=traced)
        flattener = Flattener(
            facts.identity,
            facts.instruments,
            self._door,
            ids=self._ids,
            clock=self._clock,
            log=self._log,
        )
        control = ControlRpc(
            facts.identity, self._door, flattener, facts.operator_publics, self._clock
        )
        execution = ExecutionRpc(
            facts.identity, self._door, facts.own.journal, facts.instruments, self._stop
        )
        server.add(
            execution_grpc.add_ExecutionServiceServicer_to_server,
            execution,
            "titan.execution.v1.ExecutionService",
        )
        server.add(
            control_grpc.add_ExecutionControlServiceServicer_to_server,
            control,
            "titan.execution.v1.ExecutionControlService",
        )
        await server.start()
        return server, control

    # ---- bus: off the order path; orders never wait for it ----------------------------------

    async def _bus_side(self, control: ControlRpc) -> None:
        bus = await self._reach_bus()
        if bus is None:
            return
        identity, tail = self._facts.identity, JournalTail(self._facts.own.journal)
        outbox = ReportOutbox(identity.account, tail, bus, self._clock, self._log)
        verdicts = VerdictPublisher(identity.account, bus, self._clock, self._log)
        snapshots = SnapshotTask(
            identity, self._door, bus, outbox=outbox, clock=self._clock, log=self._log
        )
        control.outbox = outbox
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(outbox.run(self._door, self._bus_stop))
                group.create_task(verdicts.run(self._door, self._bus_stop))
                group.create_task(snapshots.run(self._bus_stop))
            await outbox.flush()
        finally:
            tail.close()
            await bus.close()

    async def _reach_bus(self) -> Bus | None:
        """A bus, or None when we stop first; its absence is logged and never fatal."""
        patience = Patience(self._clock, self._bus_stop, PATIENCE_S)
        while not self._bus_stop.is_set():
            try:
                return await connect(
                    self._facts.nats.url, name="execution", log=self._log, give_up_s=CONNECT_S
                )
            except TitanError as fault:
                self._log.warn("bus_absent", fault=fault)
                await patience.failed(fault)
        return None

    # ---- stop ---------------------------------------------------------------------------------

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGUSR1, self._halt_by_signal)

    def _halt_by_signal(self) -> None:
        self._tasks.append(asyncio.create_task(self._halt()))

    async def _halt(self) -> None:
        edge = await self._door.halt(trading_state_pb2.BREAKER_CAUSE_OPERATOR, "signal", "SIGUSR1")
        self._log.warn("halted", halt_epoch=edge.halt_epoch, lsn=edge.lsn)

    async def _wind_down(self) -> None:
        """Engine first, so that its last records can still be published; then the bus."""
        await self._door.stop()
        await self._ended.wait()
        self._bus_stop.set()
        self._door.wake()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._door.close()
        self._log.info("stopped", last_lsn=self._host.next_lsn - 1)


def start_tracing(settings: TelemetrySettings) -> bool:
    """Whether traces leave; the exporter is imported only then, for it doubles the start."""
    if not settings.otlp_endpoint:
        return False
    from titan_mesh.telemetry import export

    return export.start("execution", settings) is not None


def serve(home: Path, clock: Clock, rng: Rng, log: Log, plant: str) -> None:
    """Reads the facts, recovers, serves."""
    bridge_libraries(log)
    facts = read_facts(home)
    asyncio.run(_run(facts, clock, rng, log, plant))


async def _run(facts: Facts, clock: Clock, rng: Rng, log: Log, plant: str) -> None:
    await Execution(facts, clock, rng, log, plant).run()
