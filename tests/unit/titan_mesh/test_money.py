"""Decimal strings and nanos: exact both ways, or a coded refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from titan_mesh.errors import MoneyError
from titan_mesh.money import decimal_of, nanos_of, positive_nanos_of


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("60000", 60_000_000_000_000),
        ("0.10", 100_000_000),
        ("-0.000000001", -1),
        ("1.500000000000", 1_500_000_000),
        ("9223372036.854775807", (1 << 63) - 1),
    ],
)
def test_exact_decimals(text, nanos):
    assert nanos_of(text) == nanos


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "DECIMAL_INVALID"),
        ("1e3", "DECIMAL_INVALID"),
        ("01", "DECIMAL_INVALID"),
        (".5", "DECIMAL_INVALID"),
        ("+1", "DECIMAL_INVALID"),
        ("NaN", "DECIMAL_INVALID"),
        ("\u0661", "DECIMAL_INVALID"),
        (0.1, "DECIMAL_INVALID"),
        ("0.0000000001", "DECIMAL_INVALID"),
        ("9223372036.854775808", "DECIMAL_RANGE"),
    ],
)
def test_everything_else_is_refused_with_its_field(text, code):
    with pytest.raises(MoneyError) as refused:
        nanos_of(text, "equity")
    assert (refused.value.code, refused.value.field) == (code, "equity")
    assert refused.value.value == str(text)


def test_an_amount_that_must_be_positive():
    with pytest.raises(MoneyError) as refused:
        positive_nanos_of("0", "max_notional")
    assert refused.value.code == "DECIMAL_NOT_POSITIVE"


@given(st.integers(min_value=-(1 << 63) + 1, max_value=(1 << 63) - 1))
def test_the_way_back_is_the_same(nanos):
    assert nanos_of(decimal_of(nanos)) == nanos
