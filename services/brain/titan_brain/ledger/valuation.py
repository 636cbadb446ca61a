"""Results from positions and prices: cash + position at mid, and fees beside it.

Owns the arithmetic of profit and loss, in whole nanos. Must never round money that is exact; the
half nano of an odd mid is cut toward zero, as at the edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from titan_brain.ledger.rows import Position


@dataclass(frozen=True, slots=True)
class Result:
    """Realised and unrealised result without fees, and the fees."""

    gross_nanos: int = 0
    fee_nanos: int = 0

    @property
    def net_nanos(self) -> int:
        """What is left after fees."""
        return self.gross_nanos - self.fee_nanos

    def plus(self, other: Result) -> Result:
        """Sum of two results."""
        return Result(self.gross_nanos + other.gross_nanos, self.fee_nanos + other.fee_nanos)


def value_nanos(position_lots: int, half_ticks: int, per_tick_lot: int) -> int:
    """Money of a position at half_ticks / 2; sign follows the position."""
    doubled = position_lots * half_ticks * per_tick_lot
    return doubled // 2 if doubled >= 0 else -(-doubled // 2)


def result_of(
    position: Position, mid_half_ticks: Mapping[str, int], per_tick_lot: Mapping[str, int]
) -> Result:
    """Result of one position: at the newest mid, or at its last fill while no mid is known."""
    half = mid_half_ticks.get(position.symbol, 0) or 2 * position.last_price_ticks
    held = value_nanos(position.position_lots, half, per_tick_lot[position.symbol])
    return Result(position.cash_nanos + held, position.fee_nanos)


def results_by_phase(
    positions: Iterable[Position],
    mid_half_ticks: Mapping[str, int],
    per_tick_lot: Mapping[str, int],
) -> dict[str, Result]:
    """Result of each phase that ever traded."""
    found: dict[str, Result] = {}
    for position in positions:
        own = result_of(position, mid_half_ticks, per_tick_lot)
        found[position.phase_id] = found.get(position.phase_id, Result()).plus(own)
    return found


def total(results: Iterable[Result]) -> Result:
    """Result of the account."""
    found = Result()
    for result in results:
        found = found.plus(result)
    return found
