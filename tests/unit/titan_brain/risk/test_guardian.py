"""The guardian: which rule speaks first, and that missing evidence never halts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from titan_brain.risk.breaker import DEFENSIVE, HALTED, NORMAL, Trigger, next_state
from titan_brain.risk.guardian import (
    MAX_LAG_REPORTS,
    MISMATCH_CONFIRMED,
    RULES,
    Facts,
    Limits,
    findings,
    is_armed,
)

LIMITS = Limits(70, 80, 50, 80, 3_000, 3, 5_000)
GOOD = Facts(
    score=100,
    snapshot_age_ns=0,
    venue_connected=True,
    policy_matches=True,
    armed=True,
    is_normal=True,
    caught_up=True,
)


def test_good_evidence_says_nothing() -> None:
    assert findings(GOOD, LIMITS) == ()


@pytest.mark.parametrize(
    ("change", "rule", "state"),
    [
        ({"unapplicable": 1}, "guardian.poison", HALTED),
        ({"overfills": 1}, "guardian.overfill", HALTED),
        ({"edge_behind_reports": 1}, "guardian.edge_behind", HALTED),
        ({"venue_streak": MISMATCH_CONFIRMED}, "guardian.venue_mismatch", HALTED),
        ({"venue_streak": MISMATCH_CONFIRMED - 1}, "", NORMAL),
        ({"record_streak": MISMATCH_CONFIRMED}, "guardian.record_mismatch", HALTED),
        ({"account_loss_nanos": 5_000}, "guardian.daily_loss", HALTED),
        ({"account_loss_nanos": 4_999}, "", NORMAL),
        ({"restarts": 4}, "guardian.restarts", HALTED),
        ({"restarts": 3}, "", NORMAL),
        ({"score": 49}, "guardian.truth_broken", HALTED),
        ({"score": 49, "armed": False}, "guardian.truth", DEFENSIVE),
        ({"score": 50}, "guardian.truth", DEFENSIVE),
        ({"score": 69}, "guardian.truth", DEFENSIVE),
        ({"score": 70}, "", NORMAL),
        ({"score": 79, "is_normal": False}, "guardian.truth", DEFENSIVE),
        ({"score": 80, "is_normal": False}, "", NORMAL),
        ({"snapshot_age_ns": -1, "score": 0}, "guardian.blind", DEFENSIVE),
        ({"snapshot_age_ns": 3_001, "score": 0}, "guardian.blind", DEFENSIVE),
        ({"snapshot_age_ns": 3_000}, "", NORMAL),
        ({"venue_connected": False, "score": 0}, "guardian.venue_down", DEFENSIVE),
        ({"policy_matches": False}, "guardian.policy", DEFENSIVE),
        ({"caught_up": False}, "guardian.not_caught_up", DEFENSIVE),
        ({"lag_reports": MAX_LAG_REPORTS}, "guardian.lag", DEFENSIVE),
    ],
)
def test_each_rule_at_its_edge(change: dict[str, int], rule: str, state: int) -> None:
    found = findings(replace(GOOD, **change), LIMITS)
    trigger = found[0].trigger if found else Trigger.RECOVERED
    assert (found[0].rule if found else "") == rule
    assert next_state(NORMAL, trigger) == state


def test_what_halts_comes_before_what_defends() -> None:
    states = [next_state(NORMAL, trigger) for _, trigger, _ in RULES]
    assert states == sorted(states, reverse=True)
    assert len({name for name, _, _ in RULES}) == len(RULES)


def test_arming_is_by_score_and_stays() -> None:
    assert not is_armed(replace(GOOD, score=79), LIMITS, was_armed=False)
    assert is_armed(replace(GOOD, score=80), LIMITS, was_armed=False)
    assert is_armed(replace(GOOD, score=0), LIMITS, was_armed=True)


@given(st.integers(0, 100), st.booleans(), st.sampled_from([-1, 3_001, 10**12]))
def test_blindness_alone_never_halts(score: int, armed: bool, age_ns: int) -> None:
    blind = replace(GOOD, score=score, armed=armed, snapshot_age_ns=age_ns)
    assert next_state(NORMAL, findings(blind, LIMITS)[0].trigger) == DEFENSIVE
    down = replace(GOOD, score=score, armed=armed, venue_connected=False)
    assert next_state(NORMAL, findings(down, LIMITS)[0].trigger) == DEFENSIVE
