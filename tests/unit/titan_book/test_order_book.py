"""The compiled book: depth, far levels, bounds, walks and health."""

import random
from array import array

import pytest
from titan_book import BookCode, BookSide, BookState, OrderBook, SequenceRule

BID, ASK = BookSide.BID, BookSide.ASK


def usdm(**options) -> OrderBook:
    book = OrderBook(SequenceRule.BINANCE_USDM, **options)
    assert book.apply_snapshot(100, [(50, 7), (49, 5)], [(52, 3), (60, 9)], 1_000) == BookCode.OK
    return book


def test_best_and_levels_after_a_snapshot():
    book = usdm()
    assert book.best(BID) == (50, 7)
    assert book.best(ASK) == (52, 3)
    assert book.levels(ASK, 10) == [(52, 3), (60, 9)]
    assert book.state == BookState.SYNCING
    assert (book.last_update_id, book.last_update_ns) == (100, 1_000)


def test_removing_the_touch_finds_the_next_level():
    book = usdm()
    assert book.apply_delta(90, 110, 80, [(50, 0)], [(52, 0)], 2_000) == BookCode.OK
    assert book.best(BID) == (49, 5)
    assert book.best(ASK) == (60, 9)
    assert book.state == BookState.LIVE


def test_a_side_that_empties_has_no_best_and_can_fill_again():
    book = usdm()
    book.apply_delta(90, 110, 80, [(50, 0), (49, 0)], [], 0)
    assert book.best(BID) is None
    assert book.levels(BID, 5) == []
    book.apply_delta(111, 120, 110, [(3, 1)], [], 0)
    assert book.best(BID) == (3, 1)


def test_far_levels_come_back_when_the_price_goes_there():
    book = OrderBook(SequenceRule.BYBIT_V5, window_log2=6, overflow_limit=64)
    far = [(100_000 - 1_000 * n, n + 1) for n in range(20)]
    assert book.apply_snapshot(5, far, [(100_001, 1)]) == BookCode.OK
    assert book.levels(BID, 100) == far
    for n, (ticks, _) in enumerate(far[:-1]):
        assert book.apply_delta(0, 6 + n, 0, [(ticks, 0)], []) == BookCode.OK
        assert book.best(BID) == far[n + 1]
    assert book.dropped_levels == 0


def test_a_price_far_above_moves_the_window_and_keeps_the_rest():
    book = OrderBook(SequenceRule.BYBIT_V5, window_log2=6, overflow_limit=256)
    book.apply_snapshot(5, [(t, t) for t in range(1_000, 1_060)], [(900_000, 1)])
    assert book.apply_delta(0, 6, 0, [(500_000, 4)], []) == BookCode.OK
    assert book.best(BID) == (500_000, 4)
    assert book.levels(BID, 3) == [(500_000, 4), (1_059, 1_059), (1_058, 1_058)]
    assert book.lots_at(BID, 1_000) == 1_000
    assert len(book.levels(BID, 1_000)) == 61


def test_a_full_overflow_forgets_the_furthest_level_and_counts_it():
    book = OrderBook(SequenceRule.BYBIT_V5, window_log2=6, overflow_limit=4)
    book.apply_snapshot(5, [(10_000, 1)] + [(t, 1) for t in range(1_000, 1_006)], [])
    assert book.dropped_levels == 2
    assert [ticks for ticks, _ in book.levels(BID, 9)] == [10_000, 1_005, 1_004, 1_003, 1_002]


def test_walk_prices_a_size_against_the_taker():
    book = usdm()
    walk = book.walk(ASK, 5)
    assert (walk.filled_lots, walk.worst_ticks, walk.levels) == (5, 60, 2)
    assert walk.vwap_micro_ticks == (3 * 52 + 2 * 60) * 10**6 // 5
    assert walk.impact_ppm == -(-(walk.vwap_micro_ticks - 52 * 10**6) // 52)
    assert book.walk(ASK, 5, 55).filled_lots == 3
    assert book.walk(BID, 100).filled_lots == 12


def test_imbalance_is_signed_and_zero_when_empty():
    book = usdm()
    assert book.imbalance_ppm(1) == (7 - 3) * 10**6 // 10
    assert OrderBook(SequenceRule.BYBIT_V5).imbalance_ppm(5) == 0


@pytest.mark.parametrize("bad", [(0, 1), (-5, 1), (5, -1), (1 << 41, 1), (5, 1 << 43)])
def test_a_bad_level_stops_the_book(bad):
    book = usdm()
    assert book.apply_delta(90, 110, 80, [bad], []) == BookCode.BAD_LEVEL
    assert book.state == BookState.GAP
    assert book.apply_delta(111, 112, 110, [], []) == BookCode.GAP
    assert book.set_level(BID, *bad) == BookCode.BAD_LEVEL


def test_crossed_is_seen_and_left():
    book = usdm()
    assert book.apply_delta(90, 110, 80, [(52, 1)], []) == BookCode.CROSSED
    assert book.state == BookState.CROSSED
    assert book.apply_delta(111, 112, 110, [(52, 0)], []) == BookCode.OK
    assert book.state == BookState.LIVE
    assert book.apply_snapshot(7, [(5, 1)], [(5, 1)]) == BookCode.CROSSED


def test_stale_by_age_and_live_again():
    book = usdm()
    book.apply_delta(90, 110, 80, [], [], 1_000)
    assert book.check_stale(1_500, 500) == BookState.LIVE
    assert book.check_stale(1_501, 500) == BookState.STALE
    assert book.apply_delta(111, 112, 110, [], [], 1_600) == BookCode.OK
    assert book.state == BookState.LIVE


def test_clear_forgets_depth_and_needs_a_snapshot():
    book = usdm()
    book.clear()
    assert book.state == BookState.EMPTY
    assert book.best(BID) is None
    assert book.apply_delta(101, 102, 100, [(1, 1)], []) == BookCode.NOT_READY


@pytest.mark.parametrize(
    "options", [{"window_log2": 5}, {"window_log2": 21}, {"overflow_limit": 0}]
)
def test_limits_of_a_book_are_refused_with_their_name(options):
    with pytest.raises(ValueError, match="NO_MEMORY"):
        OrderBook(SequenceRule.BYBIT_V5, **options)
    with pytest.raises(ValueError, match="NO_RULE"):
        OrderBook(SequenceRule.NONE)


def test_batch_equals_one_call_each():
    rng = random.Random(7)
    one, batch = usdm(), usdm()
    headers, ticks, lots = array("q"), array("q"), array("q")
    previous = 100
    for update in range(500):
        bids = [(rng.randint(30, 50), rng.randint(0, 3)) for _ in range(rng.randint(0, 4))]
        asks = [(rng.randint(51, 70), rng.randint(0, 3)) for _ in range(rng.randint(0, 4))]
        last = previous + rng.randint(1, 5)
        one.apply_delta(previous + 1, last, previous, bids, asks, update)
        headers.extend([previous + 1, last, previous, update, len(bids), len(asks)])
        for side in (bids, asks):
            ticks.extend(t for t, _ in side)
            lots.extend(n for _, n in side)
        previous = last
    assert batch.apply_batch(headers, ticks, lots) == 500
    assert batch.digest() == one.digest()
    with pytest.raises(ValueError, match="promise"):
        batch.apply_batch(headers, ticks[:-1], lots)


def test_digest_tells_books_apart():
    one, two = usdm(), usdm()
    assert one.digest() == two.digest()
    two.set_level(BID, 49, 6)
    assert one.digest() != two.digest()


def test_a_python_update_beyond_the_batch_limit_is_refused():
    with pytest.raises(ValueError, match="limit 16384"):
        usdm().apply_delta(90, 110, 80, [(1, 1)] * 16_385, [])
