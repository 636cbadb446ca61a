"""What the Brain tells the mesh: leases, states, scores, decisions, the dashboard line.

Owns the queue between deciding and publishing, so that a slow or dead bus never delays a decision.
Must never be the only place of anything: the database has it all, a dropped event is only counted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from titan import topology
from titan.brain.v1.decision_pb2 import DashboardUpdated, DecisionRecorded
from titan.risk.v1.lease_pb2 import RiskLease
from titan.risk.v1.trading_state_pb2 import TradingStateChanged
from titan.topology_types import Event
from titan.truth.v1.truth_pb2 import TruthScored
from titan_mesh.bus.publisher import Publisher
from titan_mesh.errors import TitanError
from titan_mesh.telemetry.logs import Log

MAX_QUEUED = 256


@dataclass(frozen=True, slots=True)
class _Queued:
    event: Event[Any]
    message: Any
    msg_id: str


class Announcer:
    """Publishes in order, drops the newest when the queue is full."""

    def __init__(self, publisher: Publisher, log: Log) -> None:
        self._publisher = publisher
        self._log = log
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue(MAX_QUEUED)
        self.dropped = 0

    def lease(self, lease: RiskLease) -> None:
        """A lease that Execution obeys."""
        msg_id = f"{lease.account}:{lease.brain_epoch}:{lease.lease_sequence}"
        self._put(topology.RISK_LEASE, lease, msg_id)

    def state(self, changed: TradingStateChanged) -> None:
        """The breaker moved."""
        self._put(topology.TRADING_STATE_CHANGED, changed, "")

    def decision(self, decision: DecisionRecorded) -> None:
        """A decision that is in the database."""
        self._put(topology.DECISION_RECORDED, decision, decision.decision_id.hex())

    def score(self, scored: TruthScored) -> None:
        """The score of a snapshot."""
        self._put(topology.TRUTH_SCORED, scored, "")

    def dashboard(self, line: DashboardUpdated) -> None:
        """The line for consoles."""
        self._put(topology.DASHBOARD_UPDATED, line, "")

    def _put(self, event: Event[Any], message: Any, msg_id: str) -> None:
        try:
            self._queue.put_nowait(_Queued(event, message, msg_id))
        except asyncio.QueueFull:
            self._drop(event, "queue full")

    def _drop(self, event: Event[Any], why: str) -> None:
        self.dropped += 1
        self._log.warn("event_dropped", name=event.full_name, why=why, dropped=self.dropped)

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        while True:
            queued = await self._queue.get()
            try:
                await self._publisher.publish(queued.event, queued.message, msg_id=queued.msg_id)
            except TitanError as fault:
                self._drop(queued.event, fault.code)
