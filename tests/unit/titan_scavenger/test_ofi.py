"""Order-flow imbalance: the formula's cases, windows, how much of the mid's changes it explains."""

import random
import statistics
from collections.abc import Iterable, Iterator

import pytest
from titan_scavenger.ofi import ImpactFit, OrderFlow, RollingSum, TradeFlow, level_flow
from titan_sdk import Book
from titan_sdk.testing import BookEvent, SessionEvent
from unit.titan_scavenger.market import CAPTURES, recorded, synthetic, touches

_S = 1_000_000_000
STILL = (101, 7)


@pytest.mark.parametrize(
    ("bid0", "bid1", "flow"),
    [
        ((100, 5), (100, 9), 4),  # grows at the same price
        ((100, 5), (100, 2), -3),  # shrinks
        ((100, 5), (101, 8), 8),  # a better bid brings its whole size
        ((100, 5), (99, 8), -5),  # a bid that falls takes its old size away
    ],
)
def test_the_bid_side_of_the_formula(
    bid0: tuple[int, int], bid1: tuple[int, int], flow: int
) -> None:
    assert level_flow(bid0, STILL, bid1, STILL) == flow


@pytest.mark.parametrize(
    ("ask0", "ask1", "flow"),
    [
        ((101, 5), (101, 9), -4),
        ((101, 5), (101, 2), 3),
        ((101, 5), (100, 8), -8),  # a better ask presses down with its whole size
        ((101, 5), (102, 8), 5),  # an ask that was lifted
    ],
)
def test_the_ask_side_of_the_formula(
    ask0: tuple[int, int], ask1: tuple[int, int], flow: int
) -> None:
    bid = (99, 3)
    assert level_flow(bid, ask0, bid, ask1) == flow


def test_a_window_equals_the_sum_of_its_events() -> None:
    rng = random.Random(5)
    window = 10 * _S
    rolling, kept, at_ns = RollingSum(window), [], 0
    for _ in range(3_000):
        at_ns += rng.randrange(window // 50)
        value = rng.randint(-9, 9)
        rolling.add(at_ns, value)
        kept.append((at_ns, value))
        assert rolling.total == sum(v for t, v in kept if t > at_ns - window)
    assert rolling.advance(at_ns + window) == 0


def test_a_window_keeps_bounded_memory() -> None:
    rolling = RollingSum(1_000_000)
    for at_ns in range(200_000):
        rolling.add(at_ns, 1)
    assert len(rolling._entries) <= 4_100
    assert rolling.total == pytest.approx(200_000, abs=300)


def test_flow_over_levels_is_the_sum_of_the_levels() -> None:
    one, three = OrderFlow(_S, 1), OrderFlow(_S, 3)
    bids = [(100, 5), (99, 6), (98, 7)]
    asks = [(101, 5), (102, 6), (103, 7)]
    for flow in (one, three):
        assert flow.on_book(1, bids, asks) == 0
    bids = [(100, 8), (99, 6), (98, 9)]
    asks = [(101, 5), (102, 2), (103, 7)]
    assert one.on_book(2, bids, asks) == 3
    assert three.on_book(2, bids, asks) == 3 + 4 + 2
    assert three.lots == 9
    three.reset()
    assert (three.lots, three.on_book(3, bids, asks)) == (0, 0)


def test_trade_flow_is_signed_by_the_taker() -> None:
    flow = TradeFlow(10)
    assert flow.imbalance_pct(0) == 0
    flow.on_trade(1, 30, False)
    flow.on_trade(2, 10, True)
    assert flow.imbalance_pct(3) == 50
    assert flow.imbalance_pct(11) == -100
    assert flow.imbalance_pct(12) == 0


def test_the_impact_fit_finds_a_planted_slope() -> None:
    fit, rng, mid = ImpactFit(_S), random.Random(2), 1_000_000
    assert (fit.mean_abs_lots, fit.move_half_ticks(100)) == (0, 0)
    for second in range(300):
        ofi = rng.randint(-10_000, 10_000)
        mid += ofi // 100 + rng.randint(-20, 20)
        fit.observe(second * _S, ofi, mid)
    assert fit.move_half_ticks(10_000) == pytest.approx(100, rel=0.05)
    assert fit.mean_abs_lots == pytest.approx(5_000, rel=0.2)


Touch = tuple[int, list[tuple[int, int]], list[tuple[int, int]]]
"""(recorded_ns, best bids, best asks)."""


def r_squared(touches: Iterable[Touch], interval_ns: int) -> float:
    """Of the regression of the mid's change on OFI over disjoint intervals."""
    flow = OrderFlow(interval_ns)
    xs, ys, next_ns, last_mid = [], [], 0, 0
    for now_ns, bids, asks in touches:
        flow.on_book(now_ns, bids, asks)
        mid = bids[0][0] + asks[0][0]
        if next_ns and now_ns >= next_ns:
            xs.append(flow.lots)
            ys.append(mid - last_mid)
        if now_ns >= next_ns:
            next_ns, last_mid = now_ns + interval_ns, mid
    assert len(xs) >= 30
    assert statistics.covariance(xs, ys) > 0, "buying pressure goes with rising prices"
    return statistics.correlation(xs, ys) ** 2


def from_books(events: Iterable[SessionEvent]) -> Iterator[Touch]:
    book = Book("BTCUSDT")
    for event in events:
        if isinstance(event, BookEvent) and book.apply(event) and book.live:
            yield event.recorded_ns, book.bids(), book.asks()


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_ofi_explains_some_of_the_synthetic_market(seed: int) -> None:
    assert r_squared(from_books(synthetic(seed)), 10 * _S) > 0.1


with_captures = pytest.mark.skipif(
    not CAPTURES.exists(), reason="no recorded market beside the repository"
)


@with_captures
def test_ofi_on_the_feeds_diffs_explains_about_half_of_usdm() -> None:
    assert 0.4 < r_squared(from_books(recorded("usdm")), 10 * _S) < 0.8


@with_captures
@pytest.mark.parametrize("kind", ["usdm", "spot"])
def test_ofi_on_every_touch_explains_about_half(kind: str) -> None:
    ticks = ((tick.recorded_ns, [tick.bid], [tick.ask]) for tick in touches(kind))
    # 34 intervals: the estimate itself is good to a tenth only.
    assert 0.3 < r_squared(ticks, 10 * _S) < 0.8
