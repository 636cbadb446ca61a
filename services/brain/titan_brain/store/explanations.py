"""Lookups behind GetFunnel and ExplainDecision.

Owns finding one intent, order, fill or decision by any of its names, from the database alone. Must
never interpret what it finds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from titan.brain.v1.decision_pb2 import DecisionRecorded
from titan.execution.v1.execution_report_pb2 import ExecutionReport
from titan.execution.v1.prepare_verdict_pb2 import PrepareVerdict
from titan.risk.v1.lease_pb2 import RiskLease
from titan.truth.v1.truth_pb2 import TruthScored
from titan_mesh.errors import InvalidMessage, NotFound

from titan_brain.store import schema
from titan_brain.store.database import Database

MIN_PREFIX_DIGITS = 8
ID_BYTES = 16
MAX_REPORTS = 1_000
DECISIONS_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Counts:
    """The funnel, counted."""

    signals: int = 0
    approved: int = 0
    confirmed: int = 0
    acknowledged: int = 0
    filled_orders: int = 0
    fills: int = 0
    rejects: tuple[tuple[int, int], ...] = ()
    dropped: int = 0


@dataclass(slots=True)
class Explanation:
    """What the record knows of one thing."""

    intent_id: bytes = b""
    verdict: PrepareVerdict | None = None
    reports: list[ExecutionReport] = field(default_factory=list)
    truth: TruthScored | None = None
    lease: RiskLease | None = None
    decisions: list[DecisionRecorded] = field(default_factory=list)


class Explanations:
    """Reads for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, phase_id: str) -> Counts:
        """Counts of one phase; of all with an empty phase_id. An intent counts once."""
        verdicts, orders, fills = schema.VERDICTS.c, schema.ORDERS.c, schema.FILLS.c
        intents = sa.func.count(sa.distinct(verdicts.intent_id))
        async with self._database.read() as connection:

            async def count(
                what: sa.ColumnElement[int], column: sa.Column[str], *where: object
            ) -> int:
                statement = sa.select(what).where(*where)  # type: ignore[arg-type]
                if phase_id:
                    statement = statement.where(column == phase_id)
                return int((await connection.execute(statement)).scalar_one() or 0)

            phase = verdicts.phase_id
            rejects = sa.select(verdicts.reason, intents.label("found")).where(
                verdicts.approved == 0
            )
            if phase_id:
                rejects = rejects.where(phase == phase_id)
            reasons = await connection.execute(
                rejects.group_by(verdicts.reason).order_by(sa.desc("found"), verdicts.reason)
            )
            per_epoch = (
                sa.select(sa.func.max(verdicts.dropped_before).label("dropped"))
                .group_by(verdicts.epoch)
                .subquery()
            )
            dropped = await connection.execute(sa.select(sa.func.sum(per_epoch.c.dropped)))
            rows = sa.func.count(orders.order_key)
            return Counts(
                signals=await count(intents, phase),
                approved=await count(intents, phase, verdicts.approved == 1),
                confirmed=await count(rows, orders.phase_id, orders.confirmed_lsn > 0),
                acknowledged=await count(
                    rows, orders.phase_id, orders.confirmed_lsn > 0, orders.acknowledged == 1
                ),
                filled_orders=await count(rows, orders.phase_id, orders.cum_qty_lots > 0),
                fills=await count(
                    sa.func.count(fills.trade_id), fills.phase_id, fills.busted_lsn == 0
                ),
                rejects=tuple((row.reason, row.found) for row in reasons),
                dropped=int(dropped.scalar_one() or 0),
            )

    async def explain(self, name: str) -> Explanation:
        """Everything about what `name` names; NotFound or ambiguous prefixes raise."""
        async with self._database.read() as connection:
            decision = await _decision_named(connection, name)
            if decision is not None:
                return Explanation(decisions=[decision])
            intent_id = await _intent_named(connection, name)
            return await _explained(connection, intent_id)


async def _explained(connection: AsyncConnection, intent_id: bytes) -> Explanation:
    found = Explanation(intent_id)
    reports, verdicts = schema.REPORTS, schema.VERDICTS
    rows = await connection.execute(
        sa.select(reports.c.body)
        .where(reports.c.intent_id == intent_id)
        .order_by(reports.c.lsn)
        .limit(MAX_REPORTS)
    )
    found.reports = [ExecutionReport.FromString(body) for body in rows.scalars()]
    # The newest verdict is the one that the confirmation rested on.
    body = await connection.scalar(
        sa.select(verdicts.c.body)
        .where(verdicts.c.intent_id == intent_id)
        .order_by(verdicts.c.epoch.desc(), verdicts.c.verdict_sequence.desc())
        .limit(1)
    )
    if body is not None:
        found.verdict = PrepareVerdict.FromString(body)
    confirmed = next((report for report in found.reports if report.HasField("intent")), None)
    decided_at_ns = found.verdict.decided_at_ns if found.verdict is not None else 0
    if not decided_at_ns and confirmed is not None:
        decided_at_ns = confirmed.recorded_at_ns
    found.truth = await _truth_at(connection, decided_at_ns)
    if confirmed is not None and confirmed.brain_epoch:
        found.lease = await _lease(connection, confirmed.brain_epoch, confirmed.lease_sequence)
    at_ns = found.lease.granted_at_ns if found.lease is not None else decided_at_ns
    found.decisions = await _decisions_before(connection, at_ns)
    return found


async def _decision_named(connection: AsyncConnection, name: str) -> DecisionRecorded | None:
    decisions = schema.DECISIONS.c
    bounds = _prefix(name)
    if bounds is None:
        return None
    rows = await connection.execute(
        sa.select(decisions.body).where(decisions.decision_id.between(*bounds)).limit(2)
    )
    found = rows.scalars().all()
    if len(found) > 1:
        raise _ambiguous(name)
    return DecisionRecorded.FromString(found[0]) if found else None


async def _intent_named(connection: AsyncConnection, name: str) -> bytes:
    """The intent of an intent_id prefix, a client_order_id, a venue_order_id or a trade_id."""
    orders, fills = schema.ORDERS.c, schema.FILLS.c
    bounds = _prefix(name)
    if bounds is not None:
        names: set[bytes] = set()
        for column in (schema.REPORTS.c.intent_id, schema.VERDICTS.c.intent_id):
            rows = await connection.execute(
                sa.select(column).where(column.between(*bounds)).distinct().limit(2)
            )
            names.update(rows.scalars())
        if len(names) > 1:
            raise _ambiguous(name)
        if names:
            return names.pop()
    for statement in (
        sa.select(orders.intent_id).where(orders.client_order_id == name),
        sa.select(fills.intent_id).where(fills.trade_id == name),
        sa.select(orders.intent_id).where(orders.venue_order_id == name),
    ):
        found = (await connection.execute(statement.limit(2))).scalars().all()
        if len(found) > 1:
            raise _ambiguous(name)
        if found and found[0]:
            return bytes(found[0])
    raise NotFound(
        "NOTHING_BY_THAT_ID",
        "the record knows no intent, order, fill or decision of this id",
        "id",
        name,
        f"at least {MIN_PREFIX_DIGITS} hex digits of an intent or decision, or a whole other id",
        hint="Ids of the last minutes may still be on their way; titan status shows applied_lsn.",
    )


def _prefix(name: str) -> tuple[bytes, bytes] | None:
    """Lowest and highest id that begin with these hex digits; None when it is no such prefix."""
    digits = name.replace("-", "").lower()
    if not MIN_PREFIX_DIGITS <= len(digits) <= 2 * ID_BYTES or not set(digits) <= set(
        "0123456789abcdef"
    ):
        return None
    return (
        bytes.fromhex(digits.ljust(2 * ID_BYTES, "0")),
        bytes.fromhex(digits.ljust(2 * ID_BYTES, "f")),
    )


def _ambiguous(name: str) -> InvalidMessage:
    return InvalidMessage(
        "ID_AMBIGUOUS", "more than one thing has an id that begins so", "id", name, "more digits"
    )


async def _truth_at(connection: AsyncConnection, at_ns: int) -> TruthScored | None:
    scores = schema.TRUTH_SCORES.c
    body = await connection.scalar(
        sa.select(scores.body)
        .where(scores.scored_at_ns <= at_ns)
        .order_by(scores.scored_at_ns.desc())
        .limit(1)
    )
    return None if body is None else TruthScored.FromString(body)


async def _lease(connection: AsyncConnection, epoch: int, sequence: int) -> RiskLease | None:
    """The lease of a sequence: the newest kept one up to it, since renewals repeat it."""
    leases = schema.LEASES.c
    body = await connection.scalar(
        sa.select(leases.body)
        .where(leases.brain_epoch == epoch, leases.lease_sequence <= sequence)
        .order_by(leases.lease_sequence.desc())
        .limit(1)
    )
    return None if body is None else RiskLease.FromString(body)


async def _decisions_before(connection: AsyncConnection, at_ns: int) -> list[DecisionRecorded]:
    """The newest decisions up to an instant, oldest first; the last one is the one in force."""
    decisions = schema.DECISIONS.c
    rows = await connection.execute(
        sa.select(decisions.body)
        .where(decisions.decided_at_ns <= at_ns)
        .order_by(decisions.decided_at_ns.desc())
        .limit(DECISIONS_SHOWN)
    )
    return [DecisionRecorded.FromString(body) for body in reversed(rows.scalars().all())]
