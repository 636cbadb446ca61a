"""Expected against observed: every difference is named, and only what was compared counts."""

from __future__ import annotations

from titan.truth.v1.truth_pb2 import PositionTruth, TruthSnapshot
from titan_brain.truth.inputs import Bounds, Seen, inputs_of
from titan_brain.truth.reconcile import NEVER, Discrepancy, Evidence, Sums, reconcile


def row(**facts: object) -> PositionTruth:
    values = {
        "symbol": "BTCUSDT",
        "shadow_position_lots": 5,
        "venue_position_lots": 5,
        "cash_nanos": -10,
        "fee_nanos": 2,
        "comparable": True,
        "book_live": True,
        "book_age_ns": 1,
    }
    return PositionTruth(**{**values, **facts})  # type: ignore[arg-type]


def snapshot(*rows: PositionTruth, **facts: object) -> TruthSnapshot:
    values = {"exec_epoch": 1, "venue_connected": True, "venue_open_orders": 2, "open_orders": 2}
    return TruthSnapshot(positions=rows or (row(),), **{**values, **facts})  # type: ignore[arg-type]


EQUAL = {"BTCUSDT": Sums(5, -10, 2)}


def test_agreement_is_dated() -> None:
    found = reconcile(snapshot(), EQUAL, Evidence(exec_epoch=1), 77)
    assert found.discrepancies == ()
    assert found.evidence.agreed_boottime_ns == 77


def test_the_brains_own_sums_must_equal_the_record() -> None:
    wrong = {"BTCUSDT": Sums(4, -11, 3)}
    found = reconcile(snapshot(), wrong, Evidence(exec_epoch=1), 1)
    assert found.discrepancies == (
        Discrepancy("record.position", "BTCUSDT", 5, 4),
        Discrepancy("record.cash", "BTCUSDT", -10, -11),
        Discrepancy("record.fee", "BTCUSDT", 2, 3),
    )
    assert found.evidence.record_streak == 1
    # A snapshot that is ahead of the Brain proves nothing, neither way.
    later = reconcile(snapshot(), None, found.evidence, 2)
    assert later.evidence.record_streak == 1
    assert reconcile(snapshot(), EQUAL, later.evidence, 3).evidence.record_streak == 0


def test_a_symbol_that_never_traded_is_flat() -> None:
    flat = row(symbol="ETHUSDT", shadow_position_lots=0, venue_position_lots=0)
    flat.cash_nanos = flat.fee_nanos = 0
    assert reconcile(snapshot(row(), flat), EQUAL, Evidence(), 1).discrepancies == ()


def test_the_venue_counts_only_when_nothing_was_in_flight() -> None:
    moving = row(venue_position_lots=9, comparable=False)
    found = reconcile(snapshot(moving), EQUAL, Evidence(1, agreed_boottime_ns=5), 6)
    assert found.discrepancies == ()
    assert found.evidence.agreed_boottime_ns == 5
    still = row(venue_position_lots=9)
    evidence = found.evidence
    for sighting in (1, 2, 3):
        found = reconcile(snapshot(still), EQUAL, evidence, 7)
        evidence = found.evidence
        assert evidence.venue_streak == sighting
    assert found.discrepancies == (Discrepancy("venue.position", "BTCUSDT", 9, 5),)
    assert evidence.agreed_boottime_ns == 5


def test_open_orders_are_compared_when_everything_is() -> None:
    found = reconcile(snapshot(venue_open_orders=3), EQUAL, Evidence(exec_epoch=1), 1)
    assert [item.kind for item in found.discrepancies] == ["venue.orders"]
    assert found.evidence.orders_streak == 1
    never = reconcile(snapshot(venue_open_orders=NEVER), EQUAL, found.evidence, 2)
    assert never.evidence.orders_streak == 0
    away = reconcile(snapshot(venue_connected=False), EQUAL, found.evidence, 2)
    assert away.evidence.orders_streak == 1
    assert away.evidence.agreed_boottime_ns == 1


def test_a_new_journal_epoch_starts_without_evidence() -> None:
    old = Evidence(1, 55, 2, 2, 2)
    fresh = reconcile(snapshot(row(comparable=False), exec_epoch=2), EQUAL, old, 60).evidence
    assert fresh == Evidence(exec_epoch=2)


def test_inputs_take_each_field_from_its_place() -> None:
    bounds = Bounds(b"p", 3_000, {"BTCUSDT": 10})
    assert inputs_of(None, bounds, 9, 9, 1).snapshot_age_ns == NEVER
    seen_at = 1_000
    shot = snapshot(
        row(venue_position_lots=6, book_age_ns=11_000_000),
        row(symbol="ETHUSDT", shadow_position_lots=0, venue_position_lots=0),
        policy_hash=b"p",
        durable_lsn=40,
        ack_latency_ns=3,
        clock_offset_ns=-4,
        unknown_orders=2,
        oldest_unknown_age_ns=8,
    )
    found = reconcile(shot, EQUAL, Evidence(1, agreed_boottime_ns=600), seen_at)
    inputs = inputs_of(Seen(shot, seen_at, found), bounds, 35, 38, 1_500)
    assert (inputs.snapshot_age_ns, inputs.agreement_age_ns) == (500, 900)
    assert (inputs.position_differences, inputs.record_differences) == (1, 2)
    assert (inputs.books, inputs.books_not_fresh) == (2, 2)
    assert (inputs.lag_reports, inputs.ack_latency_ns, inputs.clock_offset_ns) == (5, 3, -4)
    assert (inputs.unknown_orders, inputs.oldest_unknown_age_ns) == (2, 8)
    assert inputs.policy_matches
    assert inputs_of(Seen(shot, seen_at, found), bounds, 99, 38, 1_500).lag_reports == 0
