"""The recipe for verdicts: keep them, for the funnel and for explanations.

Owns the way from a delivery to the table. Must never decide anything: verdicts are telemetry.
"""

from __future__ import annotations

from collections.abc import Sequence

from titan.execution.v1.prepare_verdict_pb2 import PrepareVerdict
from titan_mesh.bus.delivery import Delivery

from titan_brain.store.records import Records


class VerdictIntake:
    """Stores verdicts; a redelivery finds its number taken."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def handle(self, batch: Sequence[Delivery[PrepareVerdict]]) -> None:
        """A batch of the bus."""
        await self._records.add_verdicts([(one.message, one.envelope.payload) for one in batch])
