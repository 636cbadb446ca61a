"""titan_book against the dict book of tests/contract/reference: same verbs, same answers."""

from contract.reference.book import DictBook
from hypothesis import given, settings
from hypothesis import strategies as st
from titan_book import OrderBook

# Close prices collide, far ones leave the window, some are refused.
_ticks = st.one_of(
    st.integers(95, 130),
    st.integers(1, 20_000),
    st.integers(-1, 1),
    st.just((1 << 40) + 1),
)
_near = st.one_of(st.integers(95, 130), st.integers(1, 20_000))
_lots = st.one_of(st.just(0), st.integers(0, 9), st.integers(1, 1 << 42))
_levels = st.lists(st.tuples(_near, _lots), max_size=12)
_rough = st.lists(st.tuples(_ticks, st.integers(-1, 9)), max_size=3)
_step = st.one_of(
    st.tuples(st.just("delta"), st.integers(-2, 3), st.integers(0, 4), _levels, _levels),
    st.tuples(st.just("delta"), st.just(1), st.just(1), _levels, _levels),
    st.tuples(st.just("delta"), st.just(1), st.just(1), _rough, _levels),
    st.tuples(st.just("snapshot"), st.integers(1, 50), st.just(0), _levels, _levels),
)


def _same(fast: OrderBook, slow: DictBook) -> None:
    assert (fast.state, fast.last_update_id) == (slow.state, slow.last_update_id)
    for side in (0, 1):
        assert fast.levels(side, 10_000) == slow.levels(side, 10_000)
        for lots, limit in ((1, 0), (7, 0), (40, 110), (1 << 45, 0)):
            assert tuple(fast.walk(side, lots, limit)) == slow.walk(side, lots, limit)
        for ticks in (96, 100, 128, 5_000, 19_999):
            assert fast.lots_at(side, ticks) == slow.sides[side].get(ticks, 0)
    assert fast.imbalance_ppm(5) == slow.imbalance_ppm(5)


@settings(max_examples=300, deadline=None)
@given(
    rule=st.integers(1, 5),
    window_log2=st.integers(6, 13),
    bids=_levels,
    asks=_levels,
    steps=st.lists(_step, max_size=25),
)
def test_fast_book_equals_dict_book(rule, window_log2, bids, asks, steps):
    fast, slow = OrderBook(rule, window_log2, 8_192), DictBook(rule)
    assert fast.apply_snapshot(10, bids, asks) == slow.apply_snapshot(10, bids, asks)
    for verb, move, width, bid_levels, ask_levels in steps:
        if verb == "snapshot":
            answers = [b.apply_snapshot(move, bid_levels, ask_levels) for b in (fast, slow)]
        else:
            first = slow.last_update_id + move
            prev = slow.last_update_id + move - 1
            answers = [
                b.apply_delta(first, first + width, prev, bid_levels, ask_levels)
                for b in (fast, slow)
            ]
        assert answers[0] == answers[1]
        _same(fast, slow)
