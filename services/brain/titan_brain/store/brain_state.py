"""What must survive a restart of the Brain: its epoch, its breaker, the opening of the day.

Owns the one row of it. Must never guess: a database of another account is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from titan.risk.v1 import trading_state_pb2 as pb

from titan_brain.risk.breaker import Breaker, initial
from titan_brain.risk.budget import Day
from titan_brain.store import schema
from titan_brain.store.database import Database, DatabaseError


@dataclass(frozen=True, slots=True)
class Kept:
    """The row. edge_pending: a halt that the edge has not confirmed yet."""

    brain_epoch: int = 0
    breaker: Breaker = field(default_factory=initial)
    edge_pending: bool = False
    day: Day = field(default_factory=Day)


class BrainState:
    """Reads and writes the row of one account."""

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account

    async def start(self) -> Kept:
        """What the last run left, with a new epoch that is on disk before anyone sees it."""
        async with self._database.read() as connection:
            accounts = [
                *(await connection.execute(sa.select(schema.BRAIN_STATE.c.account))).scalars(),
                *(await connection.execute(sa.select(schema.EXEC_CURSOR.c.account))).scalars(),
            ]
            table = schema.BRAIN_STATE
            row = (await connection.execute(sa.select(table))).first()
        for account in accounts:
            if account != self._account:
                raise DatabaseError(
                    "DATABASE_ACCOUNT",
                    "the database belongs to another account",
                    "mesh.account",
                    self._account,
                    account,
                    hint="Give each account its own brain.database.",
                )
        kept = Kept() if row is None else _kept_of(row)
        kept = replace(kept, brain_epoch=kept.brain_epoch + 1)
        await self.save(kept)
        await self._database.make_durable()
        return kept

    async def save(self, kept: Kept) -> None:
        """Replaces the row."""
        breaker, day = kept.breaker, kept.day
        row = {
            "account": self._account,
            "brain_epoch": kept.brain_epoch,
            "state": breaker.state,
            "cause": breaker.cause,
            "halt_epoch": breaker.halt_epoch,
            "operators": breaker.operators,
            "edge_pending": int(kept.edge_pending),
            "day_number": day.number,
            "day_opening": json.dumps(dict(day.opening_nanos), sort_keys=True),
        }
        async with self._database.write() as connection:
            await connection.execute(
                insert(schema.BRAIN_STATE).on_conflict_do_update(
                    index_elements=["account"], set_=row
                ),
                [row],
            )


def _kept_of(row: sa.Row[tuple[object, ...]]) -> Kept:
    values = row._mapping
    breaker = Breaker(
        pb.TradingState.ValueType(values["state"]),
        pb.BreakerCause.ValueType(values["cause"]),
        values["halt_epoch"],
        values["operators"],
    )
    day = Day(values["day_number"], json.loads(values["day_opening"]))
    return Kept(values["brain_epoch"], breaker, bool(values["edge_pending"]), day)
