"""What the journal's brake records mean for the breaker.

Owns the agreement between the latch at the edge and the latch here. Pure. Must never lift a halt
that the edge has not heard of: only its RESUME record does.
"""

from __future__ import annotations

from titan_brain.ledger.rows import Cursor
from titan_brain.risk.breaker import OPERATORS_TO_RESUME, TRIGGER_OF_CAUSE, Breaker, Trigger


def trigger_of(cursor: Cursor, breaker: Breaker, edge_pending: bool) -> Trigger | None:
    """The trigger that the newest brake record is; None when it says nothing new."""
    if cursor.halted:
        if not breaker.is_halted or cursor.halt_epoch > breaker.halt_epoch:
            return _cause_of(cursor)
        return None
    if _is_lifted(cursor, breaker) and not edge_pending and _signed_enough(cursor, breaker):
        return Trigger.RESUMED
    return None


def must_press_again(cursor: Cursor, breaker: Breaker) -> bool:
    """True when the edge lifted its halt for fewer signatures than the breaker's causes ask for."""
    return _is_lifted(cursor, breaker) and not _signed_enough(cursor, breaker)


def _is_lifted(cursor: Cursor, breaker: Breaker) -> bool:
    known_at_edge = cursor.halt_epoch >= breaker.halt_epoch > 0
    return breaker.is_halted and not cursor.halted and known_at_edge


def _signed_enough(cursor: Cursor, breaker: Breaker) -> bool:
    return OPERATORS_TO_RESUME[_cause_of(cursor)] >= breaker.operators


def _cause_of(cursor: Cursor) -> Trigger:
    """The newest halt of the edge; a cause that cannot halt counts as an operator's."""
    return TRIGGER_OF_CAUSE.get(cursor.halt_cause, Trigger.OPERATOR)
