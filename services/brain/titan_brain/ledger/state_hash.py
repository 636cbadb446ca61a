"""One hash over orders, fills and positions: equal pictures give equal hashes.

Owns the order and the bytes that go into SHA-256. Must never depend on how rows were stored or in
which order they were found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields
from typing import TypeAlias

from titan_brain.ledger.book import Book
from titan_brain.ledger.rows import Fill, Order, Position

Row: TypeAlias = tuple[str | int | bytes, ...]

ORDER_FIELDS = tuple(item.name for item in fields(Order))
FILL_FIELDS = tuple(item.name for item in fields(Fill))
POSITION_FIELDS = tuple(item.name for item in fields(Position))


def _line(table: str, row: Row) -> bytes:
    """One row as bytes; the length before each value keeps two rows from meeting."""
    parts = [table.encode()]
    for value in row:
        text = value if isinstance(value, bytes) else str(value).encode()
        parts.append(b"%d:%b" % (len(text), text))
    return b"|".join(parts) + b"\n"


def state_hash(
    applied_lsn: int, orders: Iterable[Row], fills: Iterable[Row], positions: Iterable[Row]
) -> bytes:
    """SHA-256 over rows that come sorted by their keys, 32 bytes."""
    digest = hashlib.sha256(b"titan.state.v1|%d\n" % applied_lsn)
    for table, rows in (("order", orders), ("fill", fills), ("position", positions)):
        for row in rows:
            digest.update(_line(table, row))
    return digest.digest()


def hash_of_book(book: Book) -> bytes:
    """The hash of a whole book in memory."""
    orders = sorted(book.orders.values(), key=lambda row: row.order_key)
    fills = [book.fills[key] for key in sorted(book.fills)]
    positions = [book.positions[key] for key in sorted(book.positions)]
    return state_hash(
        book.cursor.applied_lsn,
        (tuple(getattr(row, name) for name in ORDER_FIELDS) for row in orders),
        (tuple(getattr(row, name) for name in FILL_FIELDS) for row in fills),
        (tuple(getattr(row, name) for name in POSITION_FIELDS) for row in positions),
    )
