"""The compiled matching against its slow twin: same fills, same queues, same book."""

from contract.reference.matching import DictMarket
from hypothesis import given, settings
from hypothesis import strategies as st
from titan_market.venue.matching import Market

_price = st.integers(90, 110)
_lots = st.integers(1, 40)
_side = st.dictionaries(_price, st.integers(0, 40), max_size=6)
_step = st.one_of(
    st.tuples(st.just("book"), st.booleans(), _side, _side),
    st.tuples(st.just("trade"), _price, _lots, st.booleans()),
    st.tuples(st.just("take"), st.booleans(), _lots, _price),
    st.tuples(st.just("rest"), st.booleans(), _price, _lots),
    st.tuples(st.just("cancel"), st.integers(1, 30)),
)


def _columns(levels: dict[int, int]) -> tuple[list[int], list[int]]:
    return list(levels), list(levels.values())


class _Both:
    """Runs a step on both and compares everything that can be seen."""

    def __init__(self) -> None:
        self.fast, self.slow = Market(), DictMarket()
        self.update_id = 1
        self.handles = 0
        self.fast.on_snapshot(1, [95], [5], [105], [5], 0)
        self.slow.on_book(True, {95: 5}, {105: 5})

    def book(self, whole: bool, bids: dict[int, int], asks: dict[int, int]) -> None:
        self.update_id += 1
        columns = (*_columns(bids), *_columns(asks), 0)
        if whole:
            _, fills = self.fast.on_snapshot(self.update_id, *columns)
        else:
            _, fills = self.fast.on_delta(self.update_id - 1, self.update_id, *columns)
        assert fills == self.slow.on_book(whole, bids, asks)

    def trade(self, ticks: int, lots: int, seller: bool) -> None:
        assert self.fast.on_trade(ticks, lots, seller) == self.slow.on_trade(ticks, lots, seller)

    def take(self, buys: bool, lots: int, limit: int) -> None:
        if self.slow.live:
            assert self.fast.take(buys, lots, limit) == self.slow.take(buys, lots, limit)

    def rest(self, buys: bool, ticks: int, lots: int) -> None:
        self.handles += 1
        assert self.fast.rest(self.handles, buys, ticks, lots)
        assert self.slow.rest(self.handles, buys, ticks, lots)

    def cancel(self, handle: int) -> None:
        assert self.fast.cancel(handle) == self.slow.cancel(handle)

    def compare(self) -> None:
        assert self.fast.live == self.slow.live
        assert self.fast.resting_count == len(self.slow.resting)
        for order in self.slow.resting:
            assert self.fast.queue_ahead(order.handle) == order.ahead
        for side, held in enumerate(self.slow.sides):
            ticks, lots = self.fast.depth(side == 0, 100)
            assert dict(zip(ticks, lots, strict=True)) == held


@settings(max_examples=400, deadline=None)
@given(steps=st.lists(_step, max_size=40))
def test_fast_matching_equals_slow_matching(steps):
    both = _Both()
    for verb, *arguments in steps:
        getattr(both, verb)(*arguments)
        both.compare()
