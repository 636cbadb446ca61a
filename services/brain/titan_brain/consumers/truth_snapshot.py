"""The recipe for truth snapshots: wait until its reports are applied, then let the governor look.

Owns which snapshots count: of this account, and the newest of a batch. Must never score.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from titan.truth.v1.truth_pb2 import TruthSnapshot
from titan_mesh.bus.delivery import Delivery
from titan_mesh.clock import Clock

from titan_brain.leases.governor import Governor
from titan_brain.leases.progress import Progress

# A snapshot waits this long for its reports; a longer lag is itself a finding.
WAIT_FOR_REPORTS_S = 0.5


class Snapshots(Protocol):
    """Where snapshots come from."""

    def batches(self) -> AsyncIterator[list[Delivery[TruthSnapshot]]]:
        """What arrived, in order."""
        ...


class SnapshotIntake:
    """Feeds the governor."""

    def __init__(self, account: str, governor: Governor, progress: Progress, clock: Clock) -> None:
        self._account = account
        self._governor = governor
        self._progress = progress
        self._clock = clock

    async def run(self, snapshots: Snapshots) -> None:
        """Takes the newest of each batch until the subscription ends."""
        async for batch in snapshots.batches():
            received_ns = self._clock.boottime_ns()
            own = [one.message for one in batch if one.message.account == self._account]
            if own:
                await self._progress.reached(own[-1].as_of_lsn, WAIT_FOR_REPORTS_S)
                await self._governor.observe(own[-1], received_ns)
