"""The recipe for reports: apply each exactly once, fill gaps from the journal, halt on poison.

Owns the way from a delivery to the ledger. Must never skip a report: what cannot be applied stays
where it is, and the account stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from titan.execution.v1.execution_report_pb2 import ExecutionReport
from titan_mesh.bus.delivery import Delivery, Envelope
from titan_mesh.errors import PoisonMessage, TitanError, Unavailable
from titan_mesh.telemetry.logs import Log

from titan_brain.edge import Edge
from titan_brain.leases.governor import Governor
from titan_brain.leases.progress import Progress
from titan_brain.store.ledger import MAX_BATCH, Applied, Delivered, Ledger

# Gaps filled for one batch before it goes back to the bus; each must bring the cursor forward.
MAX_FILLS = 8


class ReportIntake:
    """The one way into the ledger, from the bus and from the journal."""

    def __init__(
        self, ledger: Ledger, edge: Edge, progress: Progress, governor: Governor, log: Log
    ) -> None:
        self._ledger = ledger
        self._edge = edge
        self._progress = progress
        self._governor = governor
        self._log = log
        self._lock = asyncio.Lock()
        self.applied = 0
        self.duplicates = 0
        self.gaps = 0

    async def handle(self, batch: Sequence[Delivery[ExecutionReport]]) -> None:
        """A batch of the bus; returns when every report of it is committed."""
        items = [Delivered(one.message, one.envelope.payload) for one in batch]
        async with self._lock:
            for first in range(0, len(items), MAX_BATCH):
                await self._apply(items[first : first + MAX_BATCH])

    async def on_poison(self, envelope: Envelope, fault: Exception) -> None:
        """A message that cannot be applied: halt, then see whether the journal has it better."""
        await self._governor.unapplicable(
            f"stream {envelope.stream} sequence {envelope.sequence} lsn {envelope.lsn}: {fault}"
        )
        try:
            await self.catch_up()
        except TitanError as trouble:
            self._log.error("journal_does_not_help", fault=str(trouble))

    async def catch_up(self, to_lsn: int = 0) -> int:
        """Pulls from the journal what is not applied yet; returns the applied LSN."""
        async with self._lock:
            first = (await self._ledger.cursor()).applied_lsn + 1
            if not 0 < to_lsn < first:
                await self._pull(first, to_lsn)
        return self._progress.applied_lsn

    async def reached(self, lsn: int, timeout_s: float) -> bool:
        """True once that report is applied."""
        return await self._progress.reached(lsn, timeout_s)

    async def _apply(self, items: Sequence[Delivered]) -> None:
        for _ in range(MAX_FILLS):
            outcome = await self._commit(items)
            if outcome.gap is None:
                return
            self.gaps += 1
            self._log.warn("gap", first=outcome.gap[0], last=outcome.gap[1])
            await self._pull(*outcome.gap)
        raise Unavailable(
            "GAP_REMAINS", "the journal did not fill the gap", "lsn", self._progress.applied_lsn + 1
        )

    async def _pull(self, from_lsn: int, to_lsn: int) -> None:
        async for batch in self._edge.replay(from_lsn, to_lsn):
            outcome = await self._commit(batch)
            if outcome.gap is not None:
                raise Unavailable(
                    "REPLAY_GAP", "the journal's replay has a gap", "lsn", outcome.gap[0]
                )

    async def _commit(self, items: Sequence[Delivered]) -> Applied:
        outcome = await self._ledger.apply(items)
        self.applied += outcome.applied
        self.duplicates += outcome.duplicates
        await self._progress.advance(outcome.applied_lsn)
        for anomaly in outcome.effects.anomalies:
            self._log.error(
                "anomaly", code=anomaly.code, lsn=anomaly.lsn, symbol=anomaly.symbol,
                found=anomaly.found, expected=anomaly.expected,
            )  # fmt: skip
        effects = outcome.effects
        if effects.edge_changed or effects.anomalies:
            self._governor.wake()
        if effects.epochs:
            self._governor.edge_restarted()
        if outcome.poison is not None:
            raise PoisonMessage(
                "REPORT_UNAPPLICABLE",
                str(outcome.poison),
                "lsn",
                outcome.poison.lsn,
                outcome.poison.code,
                hint="The account is halted; the report stays where it is.",
            )
        return outcome
