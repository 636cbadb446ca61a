"""The ledger in the database: batches of reports, each applied exactly once.

Owns the transaction: rows, reports and cursor of a batch are committed together or not at all, so a
crash between any two statements leaves no trace, and a report at or below the cursor is a duplicate
whatever brought it. Must never know the bus or Execution: a gap or a poison report is an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from titan.execution.v1.execution_report_pb2 import ExecutionReport

from titan_brain.ledger.book import Book
from titan_brain.ledger.fold import Effects, Grid, Unapplicable, apply
from titan_brain.ledger.rows import (
    Cursor,
    Fill,
    Order,
    Position,
    empty_cursor,
    fill_key,
    position_key,
)
from titan_brain.store import schema
from titan_brain.store.database import Database

# One transaction never holds more reports than this; it bounds the preload's parameters too.
MAX_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Delivered:
    """A report with the bytes it came in."""

    report: ExecutionReport
    body: bytes


@dataclass(slots=True)
class Applied:
    """What became of a batch."""

    applied_lsn: int
    epoch: int
    applied: int = 0
    duplicates: int = 0
    gap: tuple[int, int] | None = None
    poison: Unapplicable | None = None
    effects: Effects = field(default_factory=Effects)


class CursorMoved(RuntimeError):
    """Another writer moved the cursor; the lock of the database was not held."""


Row = TypeVar("Row", Order, Fill, Position, Cursor)


_NAMES: Mapping[type[Any], tuple[str, ...]] = {
    shape: tuple(item.name for item in fields(shape)) for shape in (Order, Fill, Position, Cursor)
}


def row_of(shape: type[Row], found: sa.Row[Any]) -> Row:
    """A database row as the fold's own; tables have the columns in the order of the fields."""
    make: Any = shape
    row: Row = make(*found)
    return row


def _values(row: Order | Fill | Position | Cursor) -> dict[str, object]:
    return {name: getattr(row, name) for name in _NAMES[type(row)]}


class Ledger:
    """Writes the fold of the reports; the only writer of its tables."""

    def __init__(self, database: Database, grid: Grid) -> None:
        self._database = database
        self._grid = grid

    async def cursor(self) -> Cursor:
        """How far the fold got."""
        async with self._database.read() as connection:
            return await self._cursor(connection)

    async def apply(self, batch: Sequence[Delivered]) -> Applied:
        """Applies what follows the cursor without a gap, in one transaction."""
        assert len(batch) <= MAX_BATCH, f"a batch has at most {MAX_BATCH} reports"
        ordered = sorted(batch, key=lambda item: item.report.lsn)
        async with self._database.write() as connection:
            book = await self._load(connection, ordered)
            before = book.cursor.applied_lsn
            outcome = Applied(before, book.cursor.epoch)
            kept = self._fold(book, ordered, outcome)
            if kept:
                await _write(connection, book, before, kept, outcome.effects)
        outcome.applied_lsn = book.cursor.applied_lsn
        outcome.epoch = book.cursor.epoch
        outcome.applied = len(kept)
        return outcome

    def _fold(self, book: Book, ordered: Iterable[Delivered], outcome: Applied) -> list[Delivered]:
        kept: list[Delivered] = []
        for item in ordered:
            lsn = item.report.lsn
            if lsn <= book.cursor.applied_lsn:
                if item.report.epoch > book.cursor.epoch:
                    outcome.poison = Unapplicable(
                        "LSN_REUSED",
                        lsn,
                        f"epoch {item.report.epoch}, applied up to {book.cursor.applied_lsn} "
                        f"of epoch {book.cursor.epoch}",
                    )
                    return kept
                outcome.duplicates += 1
                continue
            if lsn > book.cursor.applied_lsn + 1:
                outcome.gap = (book.cursor.applied_lsn + 1, lsn - 1)
                return kept
            try:
                apply(book, self._grid, item.report, outcome.effects)
            except Unapplicable as fault:
                outcome.poison = fault
                return kept
            kept.append(item)
        return kept

    async def _cursor(self, connection: AsyncConnection) -> Cursor:
        table = schema.EXEC_CURSOR
        found = (await connection.execute(sa.select(table))).first()
        return empty_cursor(self._grid.account) if found is None else row_of(Cursor, found)

    async def _load(self, connection: AsyncConnection, batch: Sequence[Delivered]) -> Book:
        """Everything the batch may touch."""
        book = Book(await self._cursor(connection))
        reports = [item.report for item in batch]
        intents = {report.intent_id.hex() for report in reports if report.intent_id}
        clients = {
            report.client_order_id
            for report in reports
            if report.client_order_id and not report.intent_id
        }
        venue_ids = {f"~{report.venue_order_id}" for report in reports if report.venue_order_id}
        orders, fills = schema.ORDERS, schema.FILLS
        found = await connection.execute(
            sa.select(orders).where(
                orders.c.order_key.in_([*intents, *clients, *venue_ids])
                | orders.c.client_order_id.in_(clients)
            )
        )
        for row in found:
            book.put_order(row_of(Order, row))
        trades = {report.trade_id for report in reports if report.trade_id}
        if trades:
            found = await connection.execute(sa.select(fills).where(fills.c.trade_id.in_(trades)))
            for row in found:
                fill = row_of(Fill, row)
                book.fills[fill_key(fill)] = fill
        for row in await connection.execute(sa.select(schema.POSITIONS)):
            position = row_of(Position, row)
            book.positions[position_key(position)] = position
        return book


async def _write(
    connection: AsyncConnection,
    book: Book,
    before_lsn: int,
    kept: Sequence[Delivered],
    effects: Effects,
) -> None:
    await connection.execute(sa.insert(schema.REPORTS), [_report_row(item) for item in kept])
    await _upsert(connection, schema.ORDERS, [book.orders[key] for key in book.changed_orders])
    await _upsert(connection, schema.FILLS, [book.fills[key] for key in book.changed_fills])
    await _upsert(
        connection, schema.POSITIONS, [book.positions[key] for key in book.changed_positions]
    )
    if effects.epochs:
        await connection.execute(
            sa.insert(schema.EXEC_EPOCHS),
            [
                dict(zip(("epoch", "lsn", "recorded_at_ns"), row, strict=True))
                for row in effects.epochs
            ],
        )
    if effects.anomalies:
        await connection.execute(
            sa.insert(schema.ANOMALIES), [asdict(anomaly) for anomaly in effects.anomalies]
        )
    await _move_cursor(connection, book.cursor, before_lsn)


async def _move_cursor(connection: AsyncConnection, cursor: Cursor, before_lsn: int) -> None:
    table = schema.EXEC_CURSOR
    if before_lsn == 0:
        await connection.execute(sa.insert(table), [_values(cursor)])
        return
    moved = await connection.execute(
        sa.update(table)
        .where(table.c.account == cursor.account, table.c.applied_lsn == before_lsn)
        .values(_values(cursor))
    )
    if moved.rowcount != 1:
        raise CursorMoved(f"the cursor of {cursor.account} left {before_lsn}")


def _report_row(item: Delivered) -> dict[str, object]:
    report = item.report
    return {
        "lsn": report.lsn,
        "epoch": report.epoch,
        "kind": report.kind,
        "intent_id": report.intent_id,
        "recorded_at_ns": report.recorded_at_ns,
        "body": item.body,
    }


async def _upsert(
    connection: AsyncConnection, table: sa.Table, rows: Sequence[Order | Fill | Position]
) -> None:
    if not rows:
        return
    statement = insert(table)
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key
    }
    await connection.execute(
        statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed),
        [_values(row) for row in rows],
    )
