"""Money never wraps: Python's own integers are the twin."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from titan_execution.core import fixed

TOP = 2**63 - 1
int64 = st.integers(-TOP, TOP)


def held(value: int) -> int:
    return max(-TOP, min(TOP, value))


def halved(value: int) -> int:
    return value // 2 if value >= 0 else -(-value // 2)


@given(int64, int64, int64)
@example(TOP, TOP, TOP)
@example(TOP, -TOP, TOP)
@example(-TOP, -TOP, TOP)
@example(1_200_001, 3, 1)
def test_money(half_ticks, lots, nanos):
    assert fixed.money(half_ticks, lots, nanos) == held(halved(half_ticks * lots * nanos))


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(1, 10**9))
def test_money_of_real_orders(ticks, lots, nanos):
    assert fixed.money(2 * ticks, lots, nanos) == held(ticks * lots * nanos)


@given(int64, int64)
@example(TOP, 1)
@example(-TOP, -2)
def test_add(a, b):
    assert fixed.add(a, b) == held(a + b) or (a + b) == -TOP - 1


@pytest.mark.parametrize("start", [TOP, TOP - 1])
def test_a_sum_that_ran_over_stays_above_every_limit(start):
    total = start
    for _ in range(3):
        total = fixed.add(total, TOP)
    assert total == TOP
