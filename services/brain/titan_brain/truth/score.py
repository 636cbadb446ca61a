"""The truth score: named components, each with its value, its loss and what would raise it.

Owns weights and thresholds of the components. Pure. Must never know states or leases. Every loss
grows, or stays, as its input gets worse; a missing input loses its whole component; so the score
starts at 0 and rises only on evidence. A snapshot older than the policy's limit, or a venue link
that is down, is no evidence of anything: every component is lost.

Weights add up to 100. BALANCES weighs nothing: no venue of this contract states balances, so there
is no evidence that could earn its points; they went to POSITIONS, which a balance would confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from titan.truth.v1 import truth_pb2 as pb

NEVER: Final = -1
_MS: Final = 1_000_000

WEIGHTS: Final[Mapping[pb.TruthComponentKind.ValueType, int]] = {
    pb.TRUTH_COMPONENT_KIND_POSITIONS: 35,
    pb.TRUTH_COMPONENT_KIND_ORDERS: 20,
    pb.TRUTH_COMPONENT_KIND_FILLS: 20,
    pb.TRUTH_COMPONENT_KIND_BALANCES: 0,
    pb.TRUTH_COMPONENT_KIND_LATENCY: 5,
    pb.TRUTH_COMPONENT_KIND_AGE: 10,
    pb.TRUTH_COMPONENT_KIND_CLOCK: 5,
    pb.TRUTH_COMPONENT_KIND_POLICY: 5,
}
FULL_SCORE: Final = 100

# Where a loss begins and where it is whole.
AGREEMENT_AGE_NS: Final = (30_000 * _MS, 120_000 * _MS)
UNKNOWN_AGE_NS: Final = (0, 15_000 * _MS)
LAG_REPORTS: Final = (2_000, 20_000)
ACK_LATENCY_NS: Final = (50 * _MS, 1_000 * _MS)
CLOCK_OFFSET_NS: Final = (20 * _MS, 500 * _MS)
# Sightings in a row that make a difference in open orders count: one may be a race.
ORDERS_CONFIRMED: Final = 3
# Lost at once when any order is unknown, before its age counts.
UNKNOWN_LOSS: Final = 5


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is known; NEVER where nothing is."""

    snapshot_age_ns: int = NEVER
    stale_after_ns: int = 3_000 * _MS
    venue_connected: bool = False
    position_differences: int = 0
    agreement_age_ns: int = NEVER
    venue_open_orders: int = NEVER
    orders_streak: int = 0
    unknown_orders: int = 0
    oldest_unknown_age_ns: int = 0
    lag_reports: int = NEVER
    record_differences: int = 0
    ack_latency_ns: int = NEVER
    books: int = 0
    books_not_fresh: int = 0
    clock_offset_ns: int = 0
    policy_matches: bool = False


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the score."""

    kind: pb.TruthComponentKind.ValueType
    weight: int
    loss: int
    value: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Score:
    """0 to 100, and why."""

    score: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    loss: int
    value: str
    remedy: str


def is_evidence(inputs: Inputs) -> bool:
    """True when the snapshot is fresh and the venue behind it was there."""
    return inputs.venue_connected and 0 <= inputs.snapshot_age_ns <= inputs.stale_after_ns


def score_of(inputs: Inputs) -> Score:
    """The score of what is known."""
    components = []
    for kind, weight in WEIGHTS.items():
        part = _PARTS[kind](inputs, weight)
        if not is_evidence(inputs):
            part = _Part(weight, part.value, _BLIND if weight else part.remedy)
        remedy = part.remedy if part.loss or not weight else ""
        components.append(Component(kind, weight, part.loss, part.value, remedy))
    lost = sum(component.loss for component in components)
    return Score(FULL_SCORE - lost, tuple(components))


_BLIND: Final = "A fresh snapshot of Execution with its venue link up."


def _ramp(value: int, bounds: tuple[int, int], weight: int) -> int:
    """0 up to the first bound, the whole weight from the second on, rounded up between."""
    low, high = bounds
    if value <= low:
        return 0
    if value >= high:
        return weight
    return -(-(value - low) * weight // (high - low))


def _ms(value_ns: int) -> str:
    return "never" if value_ns == NEVER else f"{value_ns // _MS} ms"


def _positions(inputs: Inputs, weight: int) -> _Part:
    wrong = inputs.position_differences + inputs.record_differences
    if wrong:
        return _Part(
            weight,
            f"{wrong} differences",
            "Execution's reconciliation with the venue; titan status lists the symbols.",
        )
    value = f"agreed {_ms(inputs.agreement_age_ns)} ago"
    remedy = "A venue answer about positions while no order event is in flight."
    if inputs.agreement_age_ns == NEVER:
        return _Part(weight, "never agreed", remedy)
    return _Part(_ramp(inputs.agreement_age_ns, AGREEMENT_AGE_NS, weight), value, remedy)


def _orders(inputs: Inputs, weight: int) -> _Part:
    if inputs.venue_open_orders == NEVER:
        return _Part(weight, "venue never asked", "The venue's answer about open orders.")
    if inputs.orders_streak >= ORDERS_CONFIRMED:
        return _Part(
            weight,
            f"open orders differ, seen {inputs.orders_streak} times",
            "Execution's sweep of the venue's open orders.",
        )
    if not inputs.unknown_orders:
        return _Part(0, "0 unknown", "")
    aged = _ramp(inputs.oldest_unknown_age_ns, UNKNOWN_AGE_NS, weight)
    return _Part(
        min(weight, max(UNKNOWN_LOSS, aged)),
        f"{inputs.unknown_orders} unknown, oldest {_ms(inputs.oldest_unknown_age_ns)}",
        "Evidence of the venue about the unknown orders.",
    )


def _fills(inputs: Inputs, weight: int) -> _Part:
    if inputs.record_differences:
        return _Part(
            weight,
            f"{inputs.record_differences} sums differ from the record",
            "Rebuild the Brain's database from the journal.",
        )
    if inputs.lag_reports == NEVER:
        return _Part(weight, "unknown", "Execution's newest durable LSN.")
    return _Part(
        _ramp(inputs.lag_reports, LAG_REPORTS, weight),
        f"{inputs.lag_reports} reports behind",
        "The Brain applies reports faster than they come, or they come slower.",
    )


def _balances(inputs: Inputs, weight: int) -> _Part:
    return _Part(0, "not stated by the venue", "A venue that states balances.")


def _latency(inputs: Inputs, weight: int) -> _Part:
    remedy = "Acknowledgements of the venue within 50 ms."
    if inputs.ack_latency_ns == NEVER:
        return _Part(weight, "no acknowledgement yet", remedy)
    loss = _ramp(inputs.ack_latency_ns, ACK_LATENCY_NS, weight)
    return _Part(loss, _ms(inputs.ack_latency_ns), remedy)


def _age(inputs: Inputs, weight: int) -> _Part:
    half = weight // 2
    fresh_ns = inputs.stale_after_ns // 2
    old = _ramp(inputs.snapshot_age_ns, (fresh_ns, max(inputs.stale_after_ns, fresh_ns + 1)), half)
    books = weight - half
    if inputs.books:
        books = -(-books * min(inputs.books_not_fresh, inputs.books) // inputs.books)
    return _Part(
        old + books,
        f"snapshot {_ms(inputs.snapshot_age_ns)}, "
        f"{inputs.books_not_fresh} of {inputs.books} books not fresh",
        "Fresh books (the feed and the venue link) and a snapshot each second.",
    )


def _clock(inputs: Inputs, weight: int) -> _Part:
    offset = abs(inputs.clock_offset_ns)
    return _Part(
        _ramp(offset, CLOCK_OFFSET_NS, weight), _ms(offset), "Clocks of host and venue in step."
    )


def _policy(inputs: Inputs, weight: int) -> _Part:
    if inputs.policy_matches:
        return _Part(0, "equal", "")
    return _Part(weight, "differs", "One policy file for Execution and Brain; restart one.")


_PARTS: Final[Mapping[pb.TruthComponentKind.ValueType, Callable[[Inputs, int], _Part]]] = {
    pb.TRUTH_COMPONENT_KIND_POSITIONS: _positions,
    pb.TRUTH_COMPONENT_KIND_ORDERS: _orders,
    pb.TRUTH_COMPONENT_KIND_FILLS: _fills,
    pb.TRUTH_COMPONENT_KIND_BALANCES: _balances,
    pb.TRUTH_COMPONENT_KIND_LATENCY: _latency,
    pb.TRUTH_COMPONENT_KIND_AGE: _age,
    pb.TRUTH_COMPONENT_KIND_CLOCK: _clock,
    pb.TRUTH_COMPONENT_KIND_POLICY: _policy,
}
