"""Budgets: the policy's own while NORMAL, nothing otherwise, never more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from titan_brain.allocation.allocator import Budget, allocate, gross_nanos
from titan_brain.risk.breaker import DEFENSIVE, HALTED, NORMAL, STATES

POLICY = {"scavenger": 200, "hunter": 100}


def test_normal_gets_the_policy_in_its_order() -> None:
    budgets = allocate(NORMAL, POLICY, frozenset())
    assert budgets == (Budget("scavenger", 200, True), Budget("hunter", 100, True))
    assert gross_nanos(budgets, 500) == 500


def test_nothing_outside_normal() -> None:
    for state in (DEFENSIVE, HALTED):
        budgets = allocate(state, POLICY, frozenset())
        assert budgets == (Budget("scavenger", 0, False), Budget("hunter", 0, False))
        assert gross_nanos(budgets, 500) == 0


def test_a_phase_that_lost_its_day_gets_nothing_and_the_others_keep_theirs() -> None:
    budgets = allocate(NORMAL, POLICY, frozenset({"scavenger"}))
    assert budgets == (Budget("scavenger", 0, False), Budget("hunter", 100, True))


@given(
    st.sampled_from(STATES),
    st.dictionaries(st.text(max_size=4), st.integers(0, 1 << 62), max_size=8),
    st.frozensets(st.text(max_size=4), max_size=8),
)
def test_never_above_policy(state: int, policy: dict[str, int], breached: frozenset[str]) -> None:
    budgets = allocate(state, policy, breached)
    assert [budget.phase_id for budget in budgets] == list(policy)
    for budget in budgets:
        assert 0 <= budget.max_notional_nanos <= policy[budget.phase_id]
        assert budget.allowed == (state == NORMAL and budget.phase_id not in breached)
