"""The facts the fold keeps: orders, fills, positions and the cursor of one account.

Owns their fields, in the order in which the state hash and the database have them. Must never
know where they are stored. All money is int64 nanos, all sizes lots, all prices ticks.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Order:
    """One order of ours, or an external one, as the reports told it."""

    order_key: str
    intent_id: bytes
    client_order_id: str
    venue_order_id: str
    phase_id: str
    symbol: str
    side: int
    qty_lots: int
    price_ticks: int
    ord_status: int
    cum_qty_lots: int
    acknowledged: int
    external: int
    confirmed_lsn: int
    confirmed_at_ns: int
    brain_epoch: int
    lease_sequence: int
    last_lsn: int


@dataclass(slots=True)
class Fill:
    """One fill; (venue, account, symbol, trade_id) is its key for ever."""

    venue: str
    account: str
    symbol: str
    trade_id: str
    order_key: str
    intent_id: bytes
    phase_id: str
    side: int
    qty_lots: int
    price_ticks: int
    fee_nanos: int
    liquidity: int
    venue_time_ns: int
    lsn: int
    busted_lsn: int


@dataclass(slots=True)
class Position:
    """Sums of the fills of one phase in one symbol; buys are negative cash."""

    phase_id: str
    symbol: str
    position_lots: int
    cash_nanos: int
    fee_nanos: int
    last_price_ticks: int
    last_lsn: int


@dataclass(slots=True)
class Cursor:
    """How far the fold got, and what the journal says of the brake."""

    account: str
    applied_lsn: int
    epoch: int
    halted: int
    halt_epoch: int
    halt_cause: int
    halt_operator: str
    halt_text: str
    resumed_lsn: int


FillKey = tuple[str, str, str, str]
PositionKey = tuple[str, str]


def fill_key(fill: Fill) -> FillKey:
    """Key of a fill's deduplication."""
    return fill.venue, fill.account, fill.symbol, fill.trade_id


def position_key(position: Position) -> PositionKey:
    """Key of a position."""
    return position.phase_id, position.symbol


def empty_cursor(account: str) -> Cursor:
    """Where every account starts: nothing applied, no epoch seen."""
    return Cursor(account, 0, 0, 0, 0, 0, "", "", 0)
