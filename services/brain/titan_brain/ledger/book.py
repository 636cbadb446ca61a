"""The working set of a fold: rows by their keys, and which of them changed.

Owns lookup and the marking of changes. Must never know what a report means, nor where rows come
from: the store loads what a batch touches, a test starts empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from titan_brain.ledger.rows import Cursor, Fill, FillKey, Order, Position, PositionKey


@dataclass(slots=True)
class Book:
    """Rows in memory; `changed_*` name those that a store has to write."""

    cursor: Cursor
    orders: dict[str, Order] = field(default_factory=dict)
    fills: dict[FillKey, Fill] = field(default_factory=dict)
    positions: dict[PositionKey, Position] = field(default_factory=dict)
    by_client_id: dict[str, str] = field(default_factory=dict)
    changed_orders: set[str] = field(default_factory=set)
    changed_fills: set[FillKey] = field(default_factory=set)
    changed_positions: set[PositionKey] = field(default_factory=set)

    def put_order(self, order: Order) -> None:
        """Adds or replaces an order without marking it."""
        self.orders[order.order_key] = order
        if order.client_order_id:
            self.by_client_id[order.client_order_id] = order.order_key

    def find_order(self, intent_id: bytes, client_order_id: str, venue_id: str) -> Order | None:
        """The order of an intent, else of a client id, else of a venue id."""
        order = self.orders.get(intent_id.hex()) if intent_id else None
        if order is None and client_order_id:
            order = self.orders.get(self.by_client_id.get(client_order_id, client_order_id))
        if order is None and venue_id and not client_order_id:
            order = self.orders.get(f"~{venue_id}")
        return order

    def position(self, phase_id: str, symbol: str) -> Position:
        """The position of a phase in a symbol; flat when it never traded."""
        key = phase_id, symbol
        found = self.positions.get(key)
        if found is None:
            found = self.positions[key] = Position(phase_id, symbol, 0, 0, 0, 0, 0)
        return found

    def position_lots(self, symbol: str) -> int:
        """Signed lots of the account in a symbol."""
        return sum(row.position_lots for row in self.positions.values() if row.symbol == symbol)


def order_key_of(intent_id: bytes, client_order_id: str, venue_order_id: str) -> str:
    """Primary key of an order: our intent, else its id at the venue (ours, then theirs)."""
    return intent_id.hex() or client_order_id or f"~{venue_order_id}"
