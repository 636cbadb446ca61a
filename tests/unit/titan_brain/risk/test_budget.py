"""Daily losses: days open where the last one was seen, and a limit is reached exactly at it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from titan_brain.risk.budget import (
    ACCOUNT,
    DAY_NS,
    Day,
    LossLimits,
    day_number,
    losses,
    open_day,
    roll,
)

LIMITS = LossLimits(1_000, {"a": 600, "b": 600})
NETS = st.dictionaries(st.sampled_from("ab"), st.integers(-(10**15), 10**15))


def test_the_first_day_opens_at_nothing() -> None:
    day = roll(Day(), 5 * DAY_NS + 1, {"a": -400})
    assert day.number == 5
    found = losses(day, {"a": -400}, LIMITS)
    assert (found.account_nanos, found.phase_nanos["a"]) == (400, 400)


def test_a_new_day_opens_where_the_last_one_was_seen() -> None:
    day = roll(open_day(5, {"a": 0}), 6 * DAY_NS, {"a": -900, "b": 100})
    assert day.opening_nanos == {"a": -900, "b": 100, ACCOUNT: -800}
    assert losses(day, {"a": -900, "b": 100}, LIMITS).account_nanos == 0
    assert losses(day, {"a": -901, "b": 100}, LIMITS).phase_nanos == {"a": 1, "b": 0}


def test_a_clock_that_steps_back_opens_nothing() -> None:
    day = open_day(6, {"a": 0})
    assert roll(day, 5 * DAY_NS, {"a": -700}) is day


def test_limits_are_reached_exactly_there() -> None:
    day = open_day(1, {})
    below = losses(day, {"a": -599, "b": -400}, LIMITS)
    assert (below.account_breached, below.breached_phases) == (False, frozenset())
    at = losses(day, {"a": -600, "b": -400}, LIMITS)
    assert (at.account_breached, at.breached_phases) == (True, {"a"})
    offset = losses(day, {"a": -600, "b": 500}, LIMITS)
    assert (offset.account_breached, offset.breached_phases) == (False, {"a"})


@given(NETS, NETS, st.integers(0, 10**15))
def test_losing_more_never_frees_anything(
    opening: dict[str, int], nets: dict[str, int], more: int
) -> None:
    day = open_day(1, opening)
    before = losses(day, nets, LIMITS)
    worse = {**nets, "a": nets.get("a", 0) - more}
    after = losses(day, worse, LIMITS)
    assert after.account_nanos >= before.account_nanos >= 0
    assert after.breached_phases >= before.breached_phases - {"b"}
    assert after.account_breached or not before.account_breached


def test_days_are_utc() -> None:
    assert day_number(0) == 0
    assert day_number(DAY_NS - 1) == 0
    assert day_number(DAY_NS) == 1
