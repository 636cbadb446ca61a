"""The breaker: NORMAL, DEFENSIVE, HALTED, moved by triggers along one table.

Owns the table, the latch and how many operators lift it. Pure. Must never know scores or limits:
the guardian names the trigger. DEFENSIVE heals by itself when the evidence is good; HALTED never
does, and its way back leads through DEFENSIVE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from titan.risk.v1 import trading_state_pb2 as pb

State = pb.TradingState
Cause = pb.BreakerCause
NORMAL: Final = pb.TRADING_STATE_NORMAL
DEFENSIVE: Final = pb.TRADING_STATE_DEFENSIVE
HALTED: Final = pb.TRADING_STATE_HALTED
STATES: Final = (NORMAL, DEFENSIVE, HALTED)


class Trigger(Enum):
    """What may move the breaker; each has the cause that is told."""

    START = "start"
    OPERATOR = "operator"
    TRUTH_LOW = "truth_low"
    TRUTH_BROKEN = "truth_broken"
    BLIND = "blind"
    LOSS = "loss"
    LIMIT = "limit"
    MISMATCH = "mismatch"
    RESTARTS = "restarts"
    LEASE_LAPSED = "lease_lapsed"
    POISON = "poison"
    TAIL_RISK = "tail_risk"
    RECOVERED = "recovered"
    RESUMED = "resumed"


CAUSES: Final[Mapping[Trigger, pb.BreakerCause.ValueType]] = {
    Trigger.START: pb.BREAKER_CAUSE_START,
    Trigger.OPERATOR: pb.BREAKER_CAUSE_OPERATOR,
    Trigger.TRUTH_LOW: pb.BREAKER_CAUSE_TRUTH,
    Trigger.TRUTH_BROKEN: pb.BREAKER_CAUSE_TRUTH,
    Trigger.BLIND: pb.BREAKER_CAUSE_BLIND,
    Trigger.LOSS: pb.BREAKER_CAUSE_LOSS,
    Trigger.LIMIT: pb.BREAKER_CAUSE_LIMIT,
    Trigger.MISMATCH: pb.BREAKER_CAUSE_MISMATCH,
    Trigger.RESTARTS: pb.BREAKER_CAUSE_RESTARTS,
    Trigger.LEASE_LAPSED: pb.BREAKER_CAUSE_LEASE_LAPSED,
    Trigger.POISON: pb.BREAKER_CAUSE_POISON,
    Trigger.TAIL_RISK: pb.BREAKER_CAUSE_TAIL_RISK,
    Trigger.RECOVERED: pb.BREAKER_CAUSE_RECOVERED,
    Trigger.RESUMED: pb.BREAKER_CAUSE_OPERATOR,
}

# State after, by trigger: from NORMAL, from DEFENSIVE, from HALTED.
_TABLE: Final[Mapping[Trigger, tuple[int, int, int]]] = {
    Trigger.START: (DEFENSIVE, DEFENSIVE, HALTED),
    Trigger.OPERATOR: (HALTED, HALTED, HALTED),
    Trigger.TRUTH_LOW: (DEFENSIVE, DEFENSIVE, HALTED),
    Trigger.TRUTH_BROKEN: (HALTED, HALTED, HALTED),
    Trigger.BLIND: (DEFENSIVE, DEFENSIVE, HALTED),
    Trigger.LOSS: (HALTED, HALTED, HALTED),
    Trigger.LIMIT: (HALTED, HALTED, HALTED),
    Trigger.MISMATCH: (HALTED, HALTED, HALTED),
    Trigger.RESTARTS: (HALTED, HALTED, HALTED),
    Trigger.LEASE_LAPSED: (DEFENSIVE, DEFENSIVE, HALTED),
    Trigger.POISON: (HALTED, HALTED, HALTED),
    Trigger.TAIL_RISK: (DEFENSIVE, DEFENSIVE, HALTED),
    Trigger.RECOVERED: (NORMAL, NORMAL, HALTED),
    Trigger.RESUMED: (NORMAL, DEFENSIVE, DEFENSIVE),
}

# Operators who must sign to lift a halt, by the trigger that made it.
OPERATORS_TO_RESUME: Final[Mapping[Trigger, int]] = {
    Trigger.OPERATOR: 1,
    Trigger.TRUTH_BROKEN: 2,
    Trigger.LOSS: 2,
    Trigger.LIMIT: 2,
    Trigger.MISMATCH: 2,
    Trigger.RESTARTS: 2,
    Trigger.POISON: 2,
}

# A cause that the edge reports, as the trigger that it is here.
TRIGGER_OF_CAUSE: Final[Mapping[int, Trigger]] = {
    pb.BREAKER_CAUSE_OPERATOR: Trigger.OPERATOR,
    pb.BREAKER_CAUSE_TRUTH: Trigger.TRUTH_BROKEN,
    pb.BREAKER_CAUSE_LOSS: Trigger.LOSS,
    pb.BREAKER_CAUSE_LIMIT: Trigger.LIMIT,
    pb.BREAKER_CAUSE_MISMATCH: Trigger.MISMATCH,
    pb.BREAKER_CAUSE_RESTARTS: Trigger.RESTARTS,
    pb.BREAKER_CAUSE_POISON: Trigger.POISON,
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """Where the breaker stands. operators counts who must sign a resume; 0 while not halted."""

    state: pb.TradingState.ValueType
    cause: pb.BreakerCause.ValueType
    halt_epoch: int = 0
    operators: int = 0

    @property
    def is_halted(self) -> bool:
        """True while only operators can lift it."""
        return self.state == HALTED


def initial() -> Breaker:
    """Where every start begins: no evidence, no new risk."""
    return Breaker(DEFENSIVE, pb.BREAKER_CAUSE_START)


def restarted(before: Breaker) -> Breaker:
    """Where a restart begins: a halt survives it, everything else starts over."""
    if before.is_halted:
        return before
    return replace(before, state=DEFENSIVE, cause=pb.BREAKER_CAUSE_START, operators=0)


def next_state(state: pb.TradingState.ValueType, trigger: Trigger) -> pb.TradingState.ValueType:
    """The table."""
    return pb.TradingState.ValueType(_TABLE[trigger][STATES.index(state)])


def step(breaker: Breaker, trigger: Trigger) -> Breaker:
    """The breaker after a trigger; the same object when nothing changed."""
    state = next_state(breaker.state, trigger)
    operators = OPERATORS_TO_RESUME.get(trigger, 0) if state == HALTED else 0
    if breaker.is_halted and state == HALTED:
        # A second cause during a halt may ask for more signatures, never for fewer.
        if operators <= breaker.operators:
            return breaker
        return replace(breaker, cause=CAUSES[trigger], operators=operators)
    if state == breaker.state and (state == NORMAL or CAUSES[trigger] == breaker.cause):
        return breaker
    return replace(breaker, state=state, cause=CAUSES[trigger], operators=operators)


def with_epoch(breaker: Breaker, halt_epoch: int) -> Breaker:
    """The breaker with the newest epoch that the edge told."""
    if halt_epoch <= breaker.halt_epoch:
        return breaker
    return replace(breaker, halt_epoch=halt_epoch)
