"""Snapshot and diffs become one chain; a gap is never bridged."""

from titan_book import SequenceRule
from titan_market.events import DepthDiff, Snapshot
from titan_market.importers.sync import ChainedDelta, DepthSync


def snapshot(update_id: int) -> Snapshot:
    return Snapshot("S", 1, 1, update_id, [(10, 1)], [(20, 1)])


def diff(first: int, last: int, prev: int = 0, lots: int = 5) -> DepthDiff:
    return DepthDiff("S", 1, 1, first, last, prev, [(11, lots)], [])


def chain(events) -> list[tuple[int, int]]:
    return [(e.prev_update_id, e.update_id) for e in events if isinstance(e, ChainedDelta)]


def test_diffs_before_the_snapshot_are_held_and_follow_it():
    sync = DepthSync(SequenceRule.BINANCE_SPOT)
    assert sync.on_diff(diff(90, 99)) == []
    assert sync.on_diff(diff(100, 104)) == []
    out = sync.on_snapshot(snapshot(102))
    assert isinstance(out[0], Snapshot)
    assert chain(out) == [(102, 104)]
    assert sync.ignored == 1
    assert chain(sync.on_diff(diff(105, 106))) == [(104, 106)]


def test_a_gap_silences_until_a_snapshot_that_later_diffs_continue():
    sync = DepthSync(SequenceRule.BINANCE_USDM)
    sync.on_snapshot(snapshot(100))
    assert chain(sync.on_diff(diff(95, 105, 90))) == [(100, 105)]
    assert sync.on_diff(diff(130, 140, 129)) == []
    assert sync.on_diff(diff(141, 150, 140)) == []
    assert sync.gaps == 1
    out = sync.on_snapshot(snapshot(135))
    assert chain(out) == [(135, 140), (140, 150)]


def test_a_snapshot_older_than_the_book_is_ignored():
    sync = DepthSync(SequenceRule.BINANCE_SPOT)
    sync.on_snapshot(snapshot(100))
    sync.on_diff(diff(101, 110))
    assert sync.on_snapshot(snapshot(105)) == []
    assert chain(sync.on_diff(diff(111, 112))) == [(110, 112)]


def test_a_snapshot_before_everything_held_is_a_gap():
    sync = DepthSync(SequenceRule.BINANCE_SPOT)
    sync.on_diff(diff(200, 210))
    assert len(sync.on_snapshot(snapshot(100))) == 1
    assert sync.gaps == 1
