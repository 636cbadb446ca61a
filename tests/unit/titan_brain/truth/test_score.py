"""The truth score: whole weights, zero without evidence, and a worse input never raises it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from titan.truth.v1 import truth_pb2 as pb
from titan_brain.truth.score import FULL_SCORE, NEVER, WEIGHTS, Inputs, score_of

MS = 1_000_000
GOOD = Inputs(
    snapshot_age_ns=0,
    venue_connected=True,
    agreement_age_ns=0,
    venue_open_orders=3,
    lag_reports=0,
    ack_latency_ns=MS,
    books=2,
    clock_offset_ns=0,
    policy_matches=True,
)
AGES = st.integers(0, 200_000 * MS)


def test_weights_add_up_and_name_every_component() -> None:
    assert sum(WEIGHTS.values()) == FULL_SCORE
    assert set(WEIGHTS) == set(pb.TruthComponentKind.values()) - {0}


def test_nothing_known_is_zero_with_remedies() -> None:
    score = score_of(Inputs())
    assert score.score == 0
    for part in score.components:
        assert part.loss == part.weight
        assert part.remedy


def test_everything_good_is_full() -> None:
    score = score_of(GOOD)
    assert score.score == FULL_SCORE
    assert [part.remedy for part in score.components if part.weight] == [""] * 7


@pytest.mark.parametrize(
    ("change", "kind", "loss"),
    [
        ({"position_differences": 1}, pb.TRUTH_COMPONENT_KIND_POSITIONS, 35),
        ({"agreement_age_ns": NEVER}, pb.TRUTH_COMPONENT_KIND_POSITIONS, 35),
        ({"agreement_age_ns": 75_000 * MS}, pb.TRUTH_COMPONENT_KIND_POSITIONS, 18),
        ({"agreement_age_ns": 120_000 * MS}, pb.TRUTH_COMPONENT_KIND_POSITIONS, 35),
        ({"venue_open_orders": NEVER}, pb.TRUTH_COMPONENT_KIND_ORDERS, 20),
        ({"orders_streak": 2}, pb.TRUTH_COMPONENT_KIND_ORDERS, 0),
        ({"orders_streak": 3}, pb.TRUTH_COMPONENT_KIND_ORDERS, 20),
        ({"unknown_orders": 1}, pb.TRUTH_COMPONENT_KIND_ORDERS, 5),
        (
            {"unknown_orders": 1, "oldest_unknown_age_ns": 15_000 * MS},
            pb.TRUTH_COMPONENT_KIND_ORDERS,
            20,
        ),
        ({"record_differences": 1}, pb.TRUTH_COMPONENT_KIND_FILLS, 20),
        ({"lag_reports": NEVER}, pb.TRUTH_COMPONENT_KIND_FILLS, 20),
        ({"lag_reports": 2_001}, pb.TRUTH_COMPONENT_KIND_FILLS, 1),
        ({"ack_latency_ns": NEVER}, pb.TRUTH_COMPONENT_KIND_LATENCY, 5),
        ({"ack_latency_ns": 2_000 * MS}, pb.TRUTH_COMPONENT_KIND_LATENCY, 5),
        ({"books_not_fresh": 1}, pb.TRUTH_COMPONENT_KIND_AGE, 3),
        ({"books": 0}, pb.TRUTH_COMPONENT_KIND_AGE, 5),
        ({"snapshot_age_ns": 3_000 * MS}, pb.TRUTH_COMPONENT_KIND_AGE, 5),
        ({"clock_offset_ns": -600 * MS}, pb.TRUTH_COMPONENT_KIND_CLOCK, 5),
        ({"policy_matches": False}, pb.TRUTH_COMPONENT_KIND_POLICY, 5),
    ],
)
def test_what_each_input_costs(change: dict[str, int], kind: int, loss: int) -> None:
    parts = {part.kind: part for part in score_of(replace(GOOD, **change)).components}
    assert parts[kind].loss == loss
    assert bool(parts[kind].remedy) == bool(loss)


@pytest.mark.parametrize("change", [{"venue_connected": False}, {"snapshot_age_ns": 3_001 * MS}])
def test_without_a_fresh_snapshot_everything_is_lost(change: dict[str, int]) -> None:
    assert score_of(replace(GOOD, **change)).score == 0


def aged(value: int) -> int:
    """NEVER is worse than any age."""
    return 1 << 62 if value == NEVER else value


inputs = st.builds(
    Inputs,
    snapshot_age_ns=AGES | st.just(NEVER),
    stale_after_ns=st.just(3_000 * MS),
    venue_connected=st.booleans(),
    position_differences=st.integers(0, 3),
    agreement_age_ns=AGES | st.just(NEVER),
    venue_open_orders=st.integers(NEVER, 3),
    orders_streak=st.integers(0, 5),
    unknown_orders=st.integers(0, 3),
    oldest_unknown_age_ns=AGES,
    lag_reports=st.integers(0, 30_000) | st.just(NEVER),
    record_differences=st.integers(0, 3),
    ack_latency_ns=AGES | st.just(NEVER),
    books=st.integers(1, 4),
    books_not_fresh=st.integers(0, 4),
    clock_offset_ns=st.integers(-700 * MS, 700 * MS),
    policy_matches=st.booleans(),
)


@given(
    inputs,
    st.sampled_from(
        [
            "snapshot_age_ns",
            "position_differences",
            "agreement_age_ns",
            "orders_streak",
            "unknown_orders",
            "oldest_unknown_age_ns",
            "lag_reports",
            "record_differences",
            "ack_latency_ns",
            "books_not_fresh",
        ]
    ),
    AGES | st.just(NEVER),
)
def test_a_worse_number_never_raises_the_score(before: Inputs, name: str, value: int) -> None:
    ages = {"snapshot_age_ns", "agreement_age_ns", "lag_reports", "ack_latency_ns"}
    if name not in ages and value == NEVER:
        value = 0
    old = getattr(before, name)
    good, bad = sorted((old, value), key=aged)
    better, worse = replace(before, **{name: good}), replace(before, **{name: bad})
    assert score_of(worse).score <= score_of(better).score


@given(inputs)
def test_worse_facts_never_raise_the_score(before: Inputs) -> None:
    score = score_of(before).score
    assert 0 <= score <= FULL_SCORE
    assert score_of(replace(before, venue_connected=False)).score <= score
    assert score_of(replace(before, policy_matches=False)).score <= score
    assert score_of(replace(before, venue_open_orders=NEVER)).score <= score
    assert score_of(replace(before, clock_offset_ns=2 * before.clock_offset_ns)).score <= score
    assert score == FULL_SCORE - sum(part.loss for part in score_of(before).components)
