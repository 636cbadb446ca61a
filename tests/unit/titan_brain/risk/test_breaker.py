"""The breaker's table, cell by cell, and what must hold on every path through it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from titan.risk.v1 import trading_state_pb2 as pb
from titan_brain.risk.breaker import (
    CAUSES,
    DEFENSIVE,
    HALTED,
    NORMAL,
    OPERATORS_TO_RESUME,
    STATES,
    TRIGGER_OF_CAUSE,
    Breaker,
    Trigger,
    initial,
    next_state,
    restarted,
    step,
    with_epoch,
)

HALTS = {
    Trigger.OPERATOR,
    Trigger.TRUTH_BROKEN,
    Trigger.LOSS,
    Trigger.LIMIT,
    Trigger.MISMATCH,
    Trigger.RESTARTS,
    Trigger.POISON,
}
HEALS_BY_ITSELF = {
    Trigger.START,
    Trigger.TRUTH_LOW,
    Trigger.BLIND,
    Trigger.LEASE_LAPSED,
    Trigger.TAIL_RISK,
}
LIFTS = {Trigger.RECOVERED, Trigger.RESUMED}


def test_every_trigger_has_its_row_and_its_cause() -> None:
    assert set(Trigger) == HALTS | HEALS_BY_ITSELF | LIFTS
    assert set(CAUSES) == set(Trigger)
    assert set(CAUSES.values()) == set(pb.BreakerCause.values()) - {0}


@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("state", STATES)
def test_the_whole_table(state: pb.TradingState.ValueType, trigger: Trigger) -> None:
    if trigger is Trigger.RESUMED:
        wanted = {NORMAL: NORMAL, DEFENSIVE: DEFENSIVE, HALTED: DEFENSIVE}[state]
    elif state == HALTED or trigger in HALTS:
        wanted = HALTED
    elif trigger is Trigger.RECOVERED:
        wanted = NORMAL
    else:
        wanted = DEFENSIVE
    assert next_state(state, trigger) == wanted


def test_who_lifts_a_halt() -> None:
    assert set(OPERATORS_TO_RESUME) == HALTS
    assert {t for t, n in OPERATORS_TO_RESUME.items() if n == 1} == {Trigger.OPERATOR}
    assert {n for t, n in OPERATORS_TO_RESUME.items() if t is not Trigger.OPERATOR} == {2}


def test_a_cause_told_by_the_edge_is_the_trigger_that_tells_it() -> None:
    for cause, trigger in TRIGGER_OF_CAUSE.items():
        assert CAUSES[trigger] == cause
    assert set(TRIGGER_OF_CAUSE.values()) == HALTS


def test_a_second_cause_asks_for_more_signatures_never_for_fewer() -> None:
    halted = step(initial(), Trigger.OPERATOR)
    assert (halted.state, halted.operators) == (HALTED, 1)
    worse = step(halted, Trigger.LOSS)
    assert (worse.operators, worse.cause) == (2, pb.BREAKER_CAUSE_LOSS)
    assert step(worse, Trigger.OPERATOR) is worse


def test_the_way_back_leads_through_defensive() -> None:
    halted = step(Breaker(NORMAL, pb.BREAKER_CAUSE_RECOVERED), Trigger.MISMATCH)
    resumed = step(halted, Trigger.RESUMED)
    assert (resumed.state, resumed.operators) == (DEFENSIVE, 0)
    assert step(resumed, Trigger.RECOVERED).state == NORMAL


def test_a_restart_keeps_a_halt_and_nothing_else() -> None:
    halted = with_epoch(step(initial(), Trigger.LOSS), 4)
    assert restarted(halted) is halted
    normal = Breaker(NORMAL, pb.BREAKER_CAUSE_RECOVERED, halt_epoch=4)
    again = restarted(normal)
    assert (again.state, again.cause, again.halt_epoch) == (DEFENSIVE, pb.BREAKER_CAUSE_START, 4)


def test_the_epoch_never_goes_back() -> None:
    assert with_epoch(with_epoch(initial(), 7), 3).halt_epoch == 7


@given(st.lists(st.sampled_from(list(Trigger)), max_size=30))
def test_no_path_leaves_halted_without_operators(path: list[Trigger]) -> None:
    breaker = initial()
    for trigger in path:
        before, breaker = breaker, step(breaker, trigger)
        if before.is_halted and trigger is not Trigger.RESUMED:
            assert breaker.is_halted
            assert breaker.operators >= before.operators
        if breaker.state == NORMAL:
            assert trigger is Trigger.RECOVERED or before.state == NORMAL
        assert breaker.is_halted == (breaker.operators > 0)
        assert step(breaker, trigger) is breaker or trigger is Trigger.RESUMED
