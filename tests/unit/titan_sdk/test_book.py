"""The strategy's book: continuity, best prices, depth, and equality with a plain dictionary."""

import random
from dataclasses import dataclass, field

from titan_sdk import Book


@dataclass
class Update:
    update_id: int
    prev_update_id: int = 0
    snapshot: bool = False
    recorded_ns: int = 1
    event_time_ns: int = 2
    bid_price_ticks: list[int] = field(default_factory=list)
    bid_qty_lots: list[int] = field(default_factory=list)
    ask_price_ticks: list[int] = field(default_factory=list)
    ask_qty_lots: list[int] = field(default_factory=list)


def snapshot(update_id: int = 10) -> Update:
    return Update(
        update_id,
        snapshot=True,
        bid_price_ticks=[99, 100, 97],
        bid_qty_lots=[5, 1, 3],
        ask_price_ticks=[102, 101, 105],
        ask_qty_lots=[2, 4, 9],
    )


def test_a_book_is_live_only_between_its_snapshot_and_a_gap() -> None:
    book = Book("BTCUSDT")
    assert not book.live
    assert not book.apply(Update(9, 8, bid_price_ticks=[100], bid_qty_lots=[7]))
    assert book.apply(snapshot())
    assert book.live
    assert (book.best_bid_ticks, book.best_ask_ticks) == (100, 101)
    assert (book.mid_half_ticks, book.spread_ticks) == (201, 1)
    assert not book.apply(Update(10, 9))  # old
    assert book.apply(Update(12, 10, bid_price_ticks=[100], bid_qty_lots=[0]))
    assert book.best_bid_ticks == 99
    assert not book.apply(Update(20, 19))
    assert (book.live, book.gaps, book.mid_half_ticks) == (False, 1, 0)
    assert not book.apply(Update(21, 20))
    assert book.apply(snapshot(30))
    assert (book.live, book.generation) == (True, 2)


def test_a_repeated_snapshot_does_not_make_the_book_shallower() -> None:
    book = Book("BTCUSDT")
    book.apply(snapshot())
    shallow = Update(
        10,
        snapshot=True,
        bid_price_ticks=[100],
        bid_qty_lots=[1],
        ask_price_ticks=[101],
        ask_qty_lots=[4],
    )
    assert not book.apply(shallow)
    assert book.bids(9) == [(100, 1), (99, 5), (97, 3)]
    assert book.generation == 1


def test_a_crossed_book_is_not_live() -> None:
    book = Book("BTCUSDT")
    book.apply(snapshot())
    book.apply(Update(11, 10, bid_price_ticks=[101], bid_qty_lots=[1]))
    assert not book.live
    book.apply(Update(12, 11, ask_price_ticks=[101], ask_qty_lots=[0]))
    assert book.live


def test_depth_and_takeable_lots() -> None:
    book = Book("BTCUSDT")
    book.apply(snapshot())
    assert book.bids(2) == [(100, 1), (99, 5)]
    assert book.asks(9) == [(101, 4), (102, 2), (105, 9)]
    assert book.takeable_lots(buy=True, limit_ticks=102) == 6
    assert book.takeable_lots(buy=True, limit_ticks=100) == 0
    assert book.takeable_lots(buy=False, limit_ticks=98) == 6
    assert (book.bid_lots(97), book.ask_lots(97)) == (3, 0)


def test_random_changes_equal_a_dictionary() -> None:
    rng = random.Random(11)
    book, bids, asks = Book("BTCUSDT"), {}, {}
    book.apply(Update(1, snapshot=True))
    for number in range(1, 3_000):
        sides = []
        for side, low in ((bids, 0), (asks, 500)):
            prices = rng.sample(range(low + 1, low + 400), 3)
            sizes = [rng.choice([0, 0, 1, 7]) for _ in prices]
            for price, lots in zip(prices, sizes, strict=True):
                side[price] = lots
                if lots == 0:
                    del side[price]
            sides += [prices, sizes]
        assert book.apply(Update(number + 1, number, False, number, number, *sides))
        assert book.bids(500) == sorted(bids.items(), reverse=True)
        assert book.asks(500) == sorted(asks.items())
