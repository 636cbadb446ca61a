"""Expected against observed: where Brain, record and venue disagree, and for how long.

Owns the comparison and the memory it needs between snapshots. Pure. Must never correct anything: a
difference is named, scored and, when it stays, halts.

Three pictures meet here. The Brain's own sums at the snapshot's LSN must equal the record's at
every instant, because both are folds of the same reports. The venue's must equal the record's only
where Execution says that nothing was in flight; when it was, the last agreement stands and ages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from titan.truth.v1.truth_pb2 import PositionTruth, TruthSnapshot

NEVER = -1


@dataclass(frozen=True, slots=True)
class Sums:
    """What the Brain's own fills of one symbol add up to."""

    position_lots: int = 0
    cash_nanos: int = 0
    fee_nanos: int = 0


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One difference: between whom, in what, how much."""

    kind: str
    symbol: str
    found: int
    expected: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What earlier snapshots of the same journal epoch showed."""

    exec_epoch: int = 0
    agreed_boottime_ns: int = NEVER
    venue_streak: int = 0
    record_streak: int = 0
    orders_streak: int = 0


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Differences of one snapshot, and the evidence that goes on to the next."""

    discrepancies: tuple[Discrepancy, ...]
    evidence: Evidence


def reconcile(
    snapshot: TruthSnapshot,
    expected: Mapping[str, Sums] | None,
    evidence: Evidence,
    received_boottime_ns: int,
) -> Reconciliation:
    """Compares one snapshot; `expected` is None while the Brain has not applied its LSN."""
    if evidence.exec_epoch != snapshot.exec_epoch:
        evidence = Evidence(exec_epoch=snapshot.exec_epoch)
    record = _record_differences(snapshot, expected)
    venue = [found for row in snapshot.positions if (found := _venue_difference(row))]
    orders = _orders_difference(snapshot)
    comparable = _comparable(snapshot)
    agreed = evidence.agreed_boottime_ns
    if comparable and not venue:
        agreed = received_boottime_ns
    evidence = replace(
        evidence,
        agreed_boottime_ns=agreed,
        venue_streak=evidence.venue_streak + 1 if venue else 0,
        record_streak=_streak(evidence.record_streak, record, expected is not None),
        orders_streak=_streak(evidence.orders_streak, orders, comparable),
    )
    return Reconciliation((*record, *venue, *orders), evidence)


def _streak(before: int, found: list[Discrepancy], was_compared: bool) -> int:
    """Sightings in a row; a snapshot that could not be compared proves nothing."""
    if not was_compared:
        return before
    return before + 1 if found else 0


def _comparable(snapshot: TruthSnapshot) -> bool:
    return (
        snapshot.venue_connected
        and bool(snapshot.positions)
        and all(row.comparable for row in snapshot.positions)
    )


def _record_differences(
    snapshot: TruthSnapshot, expected: Mapping[str, Sums] | None
) -> list[Discrepancy]:
    if expected is None:
        return []
    found = []
    for row in snapshot.positions:
        own = expected.get(row.symbol, Sums())
        pairs = (
            ("record.position", row.shadow_position_lots, own.position_lots),
            ("record.cash", row.cash_nanos, own.cash_nanos),
            ("record.fee", row.fee_nanos, own.fee_nanos),
        )
        found += [
            Discrepancy(kind, row.symbol, got, want) for kind, got, want in pairs if got != want
        ]
    return found


def _venue_difference(row: PositionTruth) -> Discrepancy | None:
    if not row.comparable or row.venue_position_lots == row.shadow_position_lots:
        return None
    return Discrepancy(
        "venue.position", row.symbol, row.venue_position_lots, row.shadow_position_lots
    )


def _orders_difference(snapshot: TruthSnapshot) -> list[Discrepancy]:
    if not _comparable(snapshot) or snapshot.venue_open_orders in (NEVER, snapshot.open_orders):
        return []
    return [Discrepancy("venue.orders", "", snapshot.venue_open_orders, snapshot.open_orders)]
