"""The Brain as a process: the order in which it starts, what runs, how it stops.

Owns the life of connections and tasks. Must never hold a rule or a query.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace

from titan import topology
from titan_mesh import keys
from titan_mesh.bus import streams
from titan_mesh.bus.connection import Bus, connect
from titan_mesh.bus.live import subscribe_live
from titan_mesh.errors import PoisonMessage, TitanError, Unavailable
from titan_mesh.rpc.channel import open_channel
from titan_mesh.telemetry import export

from titan_brain.edge import BRAIN
from titan_brain.instance import InstanceLock
from titan_brain.parts import Facts, Parts, assemble
from titan_brain.risk.breaker import restarted
from titan_brain.store.brain_state import BrainState
from titan_brain.store.database import Database

STOP_GRACE_S = 1.0
# Delays between attempts to compare the record with Execution's journal after a start.
COMPARE_FIRST_NS = 100_000_000
COMPARE_MAX_NS = 2_000_000_000


class Brain:
    """One Brain; run() returns after stop(), or raises what ended it."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Ends run() in order."""
        self._stop.set()

    async def run(self) -> None:
        """Holds the database's lock, lives, and leaves everything closed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        lock = InstanceLock(self._facts.own.database)
        database = Database(self._facts.own.database)
        try:
            await database.open()
            await self._with_bus(database)
        finally:
            await database.close()
            lock.close()

    async def _with_bus(self, database: Database) -> None:
        facts = self._facts
        provider = export.start(BRAIN, facts.settings.telemetry())
        traced = provider is not None
        bus = await connect(facts.settings.nats().url, name=BRAIN, log=facts.log)
        channel = open_channel(
            facts.execution,
            principal=BRAIN,
            secret=keys.read_grpc_key(facts.settings.home, BRAIN),
            traced=traced,
        )
        try:
            await streams.verify(bus, BRAIN)
            state = BrainState(database, facts.mesh.account)
            kept = await state.start()
            kept = replace(kept, breaker=restarted(kept.breaker))
            facts.log.info("epoch", brain_epoch=kept.brain_epoch, halted=kept.breaker.is_halted)
            parts = assemble(facts, database, kept, bus, channel)
            await self._live(parts, bus)
        finally:
            await channel.close()
            await bus.close()
            if provider is not None:
                provider.shutdown()

    async def _live(self, parts: Parts, bus: Bus) -> None:
        facts = self._facts
        await parts.core.progress.advance((await parts.core.ledger.cursor()).applied_lsn)
        snapshots = await subscribe_live(
            bus, topology.TRUTH_SNAPSHOT, clock=facts.clock, account=facts.mesh.account
        )
        await parts.server.start()
        work = [
            parts.core.governor.run(),
            parts.core.issuer.run(parts.core.governor.stance),
            parts.core.announcer.run(),
            parts.reports.run(),
            parts.verdicts.run(),
            parts.snapshots.run(snapshots),
            self._lost_bus(bus),
        ]
        tasks = {asyncio.ensure_future(part) for part in work}
        comparing = asyncio.ensure_future(self._compare(parts))
        stopped = asyncio.ensure_future(self._stop.wait())
        await parts.server.set_serving(serving=True)
        facts.log.info("ready", grpc=parts.server.endpoint, database=facts.own.database)
        try:
            done, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
                raise Unavailable("PART_ENDED", f"{task} ended by itself", "brain", "")
        finally:
            snapshots.stop()
            parts.reports.stop()
            parts.verdicts.stop()
            await parts.server.stop(STOP_GRACE_S)
            for task in (*tasks, comparing, stopped):
                task.cancel()
            await asyncio.gather(*tasks, comparing, stopped, return_exceptions=True)
            facts.log.info("stopped", applied_lsn=parts.core.progress.applied_lsn)

    async def _lost_bus(self, bus: Bus) -> None:
        await bus.closed.wait()
        raise Unavailable("BUS_GONE", "the connection to the bus is closed for good", "nats.url")

    async def _compare(self, parts: Parts) -> None:
        """Compares the record with Execution's journal; before it is equal nothing is NORMAL."""
        wait_ns = COMPARE_FIRST_NS
        clock, log = self._facts.clock, self._facts.log
        while True:
            try:
                durable_lsn = (await parts.core.edge.describe()).durable_lsn
                applied_lsn = parts.core.progress.applied_lsn
                if durable_lsn > applied_lsn:
                    applied_lsn = await parts.core.intake.catch_up(durable_lsn)
                await parts.core.governor.caught_up(durable_lsn, applied_lsn)
                log.info("compared", applied_lsn=applied_lsn, durable_lsn=durable_lsn)
                return
            except PoisonMessage as fault:
                await parts.core.governor.unapplicable(str(fault))
            except TitanError as fault:
                log.warn("not_compared", fault=str(fault))
            await clock.sleep_until(clock.boottime_ns() + wait_ns)
            wait_ns = min(2 * wait_ns, COMPARE_MAX_NS)
