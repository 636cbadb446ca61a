"""TruthSnapshot: a consistent copy of the engine, once a second and right after recovery.

Owns the mapping from the engine's copy to the event. Must never judge what it states.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from titan import topology
from titan.truth.v1 import truth_pb2
from titan_mesh.bus.backoff import wait_or_stop
from titan_mesh.bus.connection import Bus
from titan_mesh.bus.publisher import Publisher
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.telemetry.logs import Log

from titan_execution.gateway.door import Door
from titan_execution.gateway.views import LINK_UP, StateView, SymbolView
from titan_execution.identity import Identity
from titan_execution.outbox.reports import ReportOutbox

PERIOD_NS = 1_000_000_000


class SnapshotTask:
    """Publishes a snapshot each second."""

    def __init__(
        self,
        identity: Identity,
        door: Door,
        bus: Bus,
        *,
        outbox: ReportOutbox,
        clock: Clock,
        log: Log,
    ) -> None:
        self._identity = identity
        self._door = door
        self._publisher = Publisher(bus)
        self._outbox = outbox
        self._clock = clock
        self._log = log
        self._sequence = 0

    async def run(self, stop: asyncio.Event) -> None:
        """A missed snapshot is not repeated: the next one says more."""
        while not stop.is_set():
            next_ns = self._clock.boottime_ns() + PERIOD_NS
            try:
                await self.publish()
            except TitanError as fault:
                self._log.warn("snapshot_lost", fault=fault)
            await wait_or_stop(self._clock, stop, next_ns)

    async def publish(self) -> None:
        """One snapshot now."""
        state, symbols = await self._door.state()
        self._sequence += 1
        snapshot = snapshot_of(self._identity, state, symbols)
        snapshot.snapshot_sequence = self._sequence
        snapshot.taken_at_ns = self._clock.unix_ns()
        snapshot.published_lsn = self._outbox.published_lsn
        msg_id = f"{self._identity.account}:{state.epoch}:t{self._sequence}"
        await self._publisher.publish(topology.TRUTH_SNAPSHOT, snapshot, msg_id=msg_id)


def snapshot_of(
    identity: Identity, state: StateView, symbols: Sequence[SymbolView]
) -> truth_pb2.TruthSnapshot:
    """The event of one copy."""
    return truth_pb2.TruthSnapshot(
        account=identity.account,
        policy_hash=identity.policy_hash,
        exec_epoch=state.epoch,
        as_of_lsn=state.last_lsn,
        durable_lsn=state.last_lsn,
        positions=[
            _position(name, view) for name, view in zip(identity.symbols, symbols, strict=True)
        ],
        open_orders=state.open_orders,
        venue_open_orders=state.venue_open_orders,
        unknown_orders=state.unknown_orders,
        oldest_unknown_age_ns=state.oldest_unknown_ns,
        venue_connected=state.link == LINK_UP,
        ack_latency_ns=state.ack_latency_ns,
        clock_offset_ns=state.clock_offset_ns,
        identity=identity.digest,
    )


def _position(symbol: str, view: SymbolView) -> truth_pb2.PositionTruth:
    return truth_pb2.PositionTruth(
        symbol=symbol,
        shadow_position_lots=view.position_lots,
        venue_position_lots=view.venue_position_lots,
        venue_age_ns=view.venue_age_ns,
        book_age_ns=view.book_age_ns,
        book_live=bool(view.book_live),
        cash_nanos=view.cash_nanos,
        fee_nanos=view.fee_nanos,
        mid_half_ticks=view.mid_half_ticks,
        comparable=bool(view.comparable),
    )
