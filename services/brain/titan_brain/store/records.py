"""The Brain's own records: decisions, leases, scores, audit, verdicts, marks.

Owns how they are written. Must never change one: records are added, only the newest mark of a
symbol replaces the one before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from titan.brain.v1.decision_pb2 import DecisionRecorded
from titan.execution.v1.prepare_verdict_pb2 import PrepareVerdict
from titan.risk.v1.lease_pb2 import RiskLease
from titan.truth.v1.truth_pb2 import TruthScored

from titan_brain.store import schema
from titan_brain.store.database import Database

DETAIL_CHARS = 512


class Records:
    """Writes what the Brain saw and decided."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_decision(self, decision: DecisionRecorded, brain_epoch: int) -> None:
        """A decision, with the lease that carries it first."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.insert(schema.DECISIONS),
                [
                    {
                        "decision_id": decision.decision_id,
                        "decided_at_ns": decision.decided_at_ns,
                        "kind": decision.kind,
                        "rule": decision.rule,
                        "state": decision.state,
                        "operator_id": decision.operator_id,
                        "brain_epoch": brain_epoch,
                        "lease_sequence": decision.lease_sequence,
                        "body": decision.SerializeToString(deterministic=True),
                    }
                ],
            )

    async def add_lease(self, lease: RiskLease) -> None:
        """A lease that says something new."""
        async with self._database.write() as connection:
            await connection.execute(
                insert(schema.LEASES).on_conflict_do_nothing(),
                [
                    {
                        "brain_epoch": lease.brain_epoch,
                        "lease_sequence": lease.lease_sequence,
                        "granted_at_ns": lease.granted_at_ns,
                        "body": lease.SerializeToString(deterministic=True),
                    }
                ],
            )

    async def add_score(self, scored: TruthScored) -> None:
        """A score whose losses differ from the one before."""
        async with self._database.write() as connection:
            await connection.execute(
                insert(schema.TRUTH_SCORES).on_conflict_do_nothing(),
                [
                    {
                        "scored_at_ns": scored.scored_at_ns,
                        "score": scored.score,
                        "as_of_lsn": scored.as_of_lsn,
                        "body": scored.SerializeToString(deterministic=True),
                    }
                ],
            )

    async def set_marks(self, mid_half_ticks: Mapping[str, int], taken_at_ns: int) -> None:
        """The newest mids; a symbol without a mid keeps its last one."""
        rows = [
            {"symbol": symbol, "mid_half_ticks": half, "taken_at_ns": taken_at_ns}
            for symbol, half in mid_half_ticks.items()
            if half > 0
        ]
        if not rows:
            return
        statement = insert(schema.MARKS)
        async with self._database.write() as connection:
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["symbol"],
                    set_={
                        "mid_half_ticks": statement.excluded.mid_half_ticks,
                        "taken_at_ns": statement.excluded.taken_at_ns,
                    },
                ),
                rows,
            )

    async def add_verdicts(self, verdicts: Sequence[tuple[PrepareVerdict, bytes]]) -> None:
        """Verdicts of the gate; one that is there already is the same one, delivered again."""
        if not verdicts:
            return
        rows = [
            {
                "epoch": verdict.epoch,
                "verdict_sequence": verdict.verdict_sequence,
                "intent_id": verdict.intent_id,
                "phase_id": verdict.phase_id,
                "approved": int(verdict.approved),
                "reason": verdict.rejection.reason,
                "decided_at_ns": verdict.decided_at_ns,
                "dropped_before": verdict.dropped_before,
                "body": body,
            }
            for verdict, body in verdicts
        ]
        async with self._database.write() as connection:
            await connection.execute(insert(schema.VERDICTS).on_conflict_do_nothing(), rows)

    async def add_audit(self, at_ns: int, actor: str, action: str, detail: str) -> None:
        """Who did what."""
        row = {"at_ns": at_ns, "actor": actor, "action": action, "detail": detail[:DETAIL_CHARS]}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(schema.AUDIT), [row])
