"""The latch at the edge and the latch here: who follows whom."""

from __future__ import annotations

from dataclasses import replace

from titan.risk.v1 import trading_state_pb2 as pb
from titan_brain.ledger.rows import empty_cursor
from titan_brain.risk.brake import must_press_again, trigger_of
from titan_brain.risk.breaker import Trigger, initial, step, with_epoch

EMPTY = empty_cursor("paper-main")
BY_OPERATOR = replace(EMPTY, halted=1, halt_epoch=3, halt_cause=pb.BREAKER_CAUSE_OPERATOR)
BY_LOSS = replace(BY_OPERATOR, halt_cause=pb.BREAKER_CAUSE_LOSS)
HALT_OF_OPERATOR = with_epoch(step(initial(), Trigger.OPERATOR), 3)
HALT_OF_LOSS = with_epoch(step(initial(), Trigger.LOSS), 3)


def test_a_halt_of_the_edge_is_a_halt_here() -> None:
    assert trigger_of(EMPTY, initial(), False) is None
    assert trigger_of(BY_OPERATOR, initial(), False) is Trigger.OPERATOR
    assert trigger_of(BY_LOSS, initial(), False) is Trigger.LOSS
    assert trigger_of(replace(BY_LOSS, halt_cause=0), initial(), False) is Trigger.OPERATOR
    assert trigger_of(BY_OPERATOR, HALT_OF_OPERATOR, False) is None
    assert trigger_of(replace(BY_LOSS, halt_epoch=4), HALT_OF_OPERATOR, False) is Trigger.LOSS


def test_only_the_edges_resume_lifts_a_halt() -> None:
    lifted = replace(BY_OPERATOR, halted=0)
    assert trigger_of(lifted, HALT_OF_OPERATOR, False) is Trigger.RESUMED
    # A halt of ours that the edge has not heard of is not lifted by an older resume.
    assert trigger_of(lifted, HALT_OF_OPERATOR, True) is None
    assert trigger_of(lifted, with_epoch(HALT_OF_OPERATOR, 4), False) is None
    assert trigger_of(lifted, initial(), False) is None
    assert trigger_of(EMPTY, step(initial(), Trigger.LOSS), False) is None


def test_a_resume_for_too_few_signatures_is_pressed_again() -> None:
    both = step(HALT_OF_OPERATOR, Trigger.LOSS)
    cheap = replace(BY_OPERATOR, halted=0)
    assert trigger_of(cheap, both, False) is None
    assert must_press_again(cheap, both)
    assert not must_press_again(BY_OPERATOR, both)
    assert not must_press_again(cheap, HALT_OF_OPERATOR)
    assert not must_press_again(replace(BY_LOSS, halted=0), HALT_OF_LOSS)
    assert trigger_of(replace(BY_LOSS, halted=0), HALT_OF_LOSS, False) is Trigger.RESUMED
