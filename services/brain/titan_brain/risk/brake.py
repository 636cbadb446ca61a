"""What the journal's brake records mean for the breaker.

Owns the agreement between the latch at the edge and the latch here. Pure. Must never lift a halt
that the edge has not heard of: only its RESUME record does.
"""

from __future__ import annotations

from titan_brain.ledger.rows import Cursor
from titan_brain.risk.breaker import TRIGGER_OF_CAUSE, Breaker, Trigger


def trigger_of(cursor: Cursor, breaker: Breaker, edge_pending: bool) -> Trigger | None:
    """The trigger that the newest brake record is; None when it says nothing new."""
    if cursor.halted:
        trigger = TRIGGER_OF_CAUSE.get(cursor.halt_cause, Trigger.OPERATOR)
        if not breaker.is_halted or cursor.halt_epoch > breaker.halt_epoch:
            return trigger
        return None
    known_here = cursor.halt_epoch >= breaker.halt_epoch > 0
    if breaker.is_halted and not edge_pending and known_here:
        return Trigger.RESUMED
    return None
