"""The venues' update-id rules, as their documents state them."""

import pytest
from titan_book import BookCode, BookState, OrderBook, SequenceRule

OK, IGNORED, NOT_READY, GAP = BookCode.OK, BookCode.IGNORED, BookCode.NOT_READY, BookCode.GAP
SPOT, USDM, COINM = (
    SequenceRule.BINANCE_SPOT,
    SequenceRule.BINANCE_USDM,
    SequenceRule.BINANCE_COINM,
)


def synced(rule: SequenceRule, update_id: int = 100) -> OrderBook:
    book = OrderBook(rule)
    assert book.apply_snapshot(update_id, [(10, 1)], [(20, 1)]) == OK
    return book


@pytest.mark.parametrize(
    ("rule", "first", "last", "prev", "code"),
    [
        (SPOT, 90, 100, 0, IGNORED),  # u <= lastUpdateId
        (SPOT, 95, 105, 0, OK),  # brackets it
        (SPOT, 101, 105, 0, OK),
        (SPOT, 102, 105, 0, GAP),
        (USDM, 90, 99, 80, IGNORED),  # u < lastUpdateId
        (USDM, 90, 100, 80, OK),  # U <= lastUpdateId <= u
        (USDM, 95, 105, 80, OK),
        (USDM, 103, 105, 100, OK),  # continues the snapshot exactly
        (USDM, 101, 105, 99, GAP),
        (COINM, 90, 99, 80, IGNORED),
        (COINM, 95, 105, 80, OK),
        (COINM, 101, 105, 98, GAP),
    ],
)
def test_first_diff_after_the_snapshot(rule, first, last, prev, code):
    book = synced(rule)
    assert book.apply_delta(first, last, prev, [(11, 2)], []) == code
    state = {OK: BookState.LIVE, IGNORED: BookState.SYNCING, GAP: BookState.GAP}[code]
    assert book.state == state
    assert book.best(0) == ((11, 2) if code == OK else (10, 1))


@pytest.mark.parametrize(
    ("rule", "first", "last", "prev", "code"),
    [
        (SPOT, 106, 110, 0, OK),
        (SPOT, 107, 110, 0, GAP),
        (SPOT, 105, 110, 0, GAP),
        (SPOT, 101, 105, 0, IGNORED),
        (USDM, 120, 130, 105, OK),
        (USDM, 106, 110, 104, GAP),
        (USDM, 101, 104, 100, IGNORED),
        (USDM, 95, 105, 80, IGNORED),
        (COINM, 120, 130, 105, OK),
        (COINM, 120, 130, 119, GAP),
    ],
)
def test_following_diffs(rule, first, last, prev, code):
    book = synced(rule)
    assert book.apply_delta(95, 105, 80, [], []) == OK
    assert book.apply_delta(first, last, prev, [], []) == code


def test_a_gap_is_left_only_by_a_snapshot():
    book = synced(USDM)
    assert book.apply_delta(101, 105, 99, [], []) == GAP
    assert book.apply_delta(95, 105, 100, [], []) == GAP
    assert book.gaps == 1
    assert book.apply_snapshot(200, [(10, 1)], [(20, 1)]) == OK
    assert book.apply_delta(195, 205, 190, [], []) == OK


def test_a_diff_before_any_snapshot_is_not_ready():
    assert OrderBook(SPOT).apply_delta(1, 2, 0, [(1, 1)], []) == NOT_READY


def test_bybit_snapshot_is_live_and_update_one_restarts():
    book = synced(SequenceRule.BYBIT_V5)
    assert book.state == BookState.LIVE
    assert book.apply_delta(0, 101, 0, [(10, 0), (9, 4)], []) == OK
    assert book.apply_delta(0, 101, 0, [(9, 7)], []) == IGNORED  # level 1 resends
    assert book.best(0) == (9, 4)
    assert book.apply_delta(0, 1, 0, [(3, 1)], [(4, 1)]) == OK
    assert (book.levels(0, 9), book.last_update_id) == ([(3, 1)], 1)
    assert book.apply_delta(0, 3, 0, [], []) == GAP


def test_the_venue_socket_chains_each_diff_to_the_one_before():
    book = synced(SequenceRule.CHAINED)
    assert book.state == BookState.LIVE
    assert book.apply_delta(0, 107, 100, [], []) == OK
    assert book.apply_delta(0, 107, 100, [], []) == IGNORED
    assert book.apply_delta(0, 109, 108, [], []) == GAP
