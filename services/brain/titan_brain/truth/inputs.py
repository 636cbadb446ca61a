"""From a snapshot and its reconciliation to the inputs of the score.

Owns which field feeds which component. Pure. Must never weigh anything; score does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from titan.truth.v1.truth_pb2 import PositionTruth, TruthSnapshot

from titan_brain.truth.reconcile import NEVER, Reconciliation
from titan_brain.truth.score import Inputs

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the policy says about freshness."""

    policy_hash: bytes
    truth_stale_ms: int
    max_book_age_ms: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest snapshot, when it came, and what its reconciliation found."""

    snapshot: TruthSnapshot
    received_boottime_ns: int
    reconciliation: Reconciliation


def inputs_of(
    seen: Seen | None, bounds: Bounds, applied_lsn: int, durable_lsn: int, now_boottime_ns: int
) -> Inputs:
    """Inputs of the score at an instant."""
    stale_ns = bounds.truth_stale_ms * _MS
    if seen is None:
        return Inputs(stale_after_ns=stale_ns)
    snapshot, evidence = seen.snapshot, seen.reconciliation.evidence
    kinds = [item.kind for item in seen.reconciliation.discrepancies]
    newest = max(durable_lsn, snapshot.durable_lsn)
    return Inputs(
        snapshot_age_ns=max(0, now_boottime_ns - seen.received_boottime_ns),
        stale_after_ns=stale_ns,
        venue_connected=snapshot.venue_connected,
        position_differences=kinds.count("venue.position"),
        agreement_age_ns=_age(evidence.agreed_boottime_ns, now_boottime_ns),
        venue_open_orders=snapshot.venue_open_orders,
        orders_streak=evidence.orders_streak,
        unknown_orders=snapshot.unknown_orders,
        oldest_unknown_age_ns=snapshot.oldest_unknown_age_ns,
        lag_reports=max(0, newest - applied_lsn),
        record_differences=sum(kind.startswith("record.") for kind in kinds),
        ack_latency_ns=snapshot.ack_latency_ns,
        books=len(snapshot.positions),
        books_not_fresh=sum(not _is_fresh(row, bounds) for row in snapshot.positions),
        clock_offset_ns=snapshot.clock_offset_ns,
        policy_matches=snapshot.policy_hash == bounds.policy_hash,
    )


def _age(since_ns: int, now_ns: int) -> int:
    return NEVER if since_ns == NEVER else max(0, now_ns - since_ns)


def _is_fresh(row: PositionTruth, bounds: Bounds) -> bool:
    limit_ns = bounds.max_book_age_ms.get(row.symbol, 0) * _MS
    return row.book_live and 0 <= row.book_age_ns <= limit_ns
