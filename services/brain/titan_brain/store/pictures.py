"""Reads of the derived tables: positions, results, restarts, anomalies, the state hash.

Owns queries without a rule in them. Must never write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from titan.trading.v1 import order_pb2

from titan_brain.ledger.rows import Cursor, Position, empty_cursor
from titan_brain.ledger.state_hash import (
    FILL_FIELDS,
    ORDER_FIELDS,
    POSITION_FIELDS,
    Row,
    state_hash,
)
from titan_brain.store import schema
from titan_brain.store.database import Database
from titan_brain.store.ledger import row_of
from titan_brain.truth.reconcile import Sums


@dataclass(frozen=True, slots=True)
class Picture:
    """What the rules need to know of the database, from one consistent view."""

    cursor: Cursor
    positions: tuple[Position, ...]
    mid_half_ticks: dict[str, int]
    restarts: int
    overfills: int


def empty_picture(account: str) -> Picture:
    """The picture of a database that nothing was applied to."""
    return Picture(empty_cursor(account), (), {}, 0, 0)


class Pictures:
    """Consistent views of the derived tables."""

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account

    async def now(self, restart_window_ns: int) -> Picture:
        """The newest committed state."""
        async with self._database.read() as connection:
            cursor = await self._cursor(connection)
            positions = await connection.execute(sa.select(schema.POSITIONS))
            marks = await connection.execute(sa.select(schema.MARKS))
            return Picture(
                cursor,
                tuple(row_of(Position, row) for row in positions),
                {row.symbol: row.mid_half_ticks for row in marks},
                await _restarts(connection, cursor.resumed_lsn, restart_window_ns),
                await _overfills(connection, cursor.resumed_lsn),
            )

    async def sums_at(self, lsn: int, per_tick_lot: Mapping[str, int]) -> dict[str, Sums] | None:
        """Sums per symbol as they were at an LSN; None while it is not applied."""
        async with self._database.read() as connection:
            cursor = await self._cursor(connection)
            if cursor.applied_lsn < lsn:
                return None
            sums: dict[str, Sums] = {}
            for row in await connection.execute(sa.select(schema.POSITIONS)):
                sums[row.symbol] = _plus(
                    sums.get(row.symbol, Sums()), row.position_lots, row.cash_nanos, row.fee_nanos
                )
            fills = schema.FILLS
            later = sa.select(fills).where((fills.c.lsn > lsn) | (fills.c.busted_lsn > lsn))
            for row in await connection.execute(later):
                # What came after is taken out; a bust that came after is put back.
                counted = (row.busted_lsn == 0) - (row.lsn <= lsn)
                side = 1 if row.side == order_pb2.SIDE_BUY else -1
                lots = side * row.qty_lots * counted
                cash = -lots * row.price_ticks * per_tick_lot[row.symbol]
                sums[row.symbol] = _plus(
                    sums.get(row.symbol, Sums()), -lots, -cash, -row.fee_nanos * counted
                )
            return sums

    async def state_hash(self) -> bytes:
        """SHA-256 over orders, fills and positions in the order of their keys."""
        async with self._database.read() as connection:
            cursor = await self._cursor(connection)
            orders = [row async for row in _rows(connection, schema.ORDERS, ORDER_FIELDS)]
            fills = [row async for row in _rows(connection, schema.FILLS, FILL_FIELDS)]
            positions = [row async for row in _rows(connection, schema.POSITIONS, POSITION_FIELDS)]
        return state_hash(cursor.applied_lsn, orders, fills, positions)

    async def _cursor(self, connection: AsyncConnection) -> Cursor:
        found = (await connection.execute(sa.select(schema.EXEC_CURSOR))).first()
        return empty_cursor(self._account) if found is None else row_of(Cursor, found)


def _plus(sums: Sums, lots: int, cash_nanos: int, fee_nanos: int) -> Sums:
    return Sums(sums.position_lots + lots, sums.cash_nanos + cash_nanos, sums.fee_nanos + fee_nanos)


async def _rows(
    connection: AsyncConnection, table: sa.Table, names: tuple[str, ...]
) -> AsyncIterator[Row]:
    # SQLite and Python both order text by code point, so this is the order of the fold's own hash.
    statement = sa.select(*(table.c[name] for name in names)).order_by(*table.primary_key)
    for row in await connection.execute(statement):
        yield tuple(row)


async def _restarts(connection: AsyncConnection, after_lsn: int, window_ns: int) -> int:
    """Starts of Execution within the window before its newest one, the first ever left out."""
    epochs = schema.EXEC_EPOCHS
    newest = sa.select(sa.func.max(epochs.c.recorded_at_ns)).scalar_subquery()
    found = await connection.execute(
        sa.select(sa.func.count())
        .select_from(epochs)
        .where(epochs.c.lsn > max(after_lsn, 1), epochs.c.recorded_at_ns > newest - window_ns)
    )
    return int(found.scalar_one())


async def _overfills(connection: AsyncConnection, after_lsn: int) -> int:
    anomalies = schema.ANOMALIES
    found = await connection.execute(
        sa.select(sa.func.count())
        .select_from(anomalies)
        .where(anomalies.c.lsn > after_lsn, anomalies.c.code == "OVERFILL")
    )
    return int(found.scalar_one())
