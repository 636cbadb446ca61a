"""The synthetic market: deterministic, in sequence, never crossed, and order flow leads."""

import random

import pytest
from titan_book import BookCode, BookSide, OrderBook, SequenceRule
from titan_market.events import Snapshot, TradePrint
from titan_market.synthetic import STEP_NS, SyntheticMarket, SyntheticSettings

SHORT = SyntheticSettings(steps=300)


def events(seed: int, settings: SyntheticSettings = SHORT) -> list:
    return list(SyntheticMarket(settings, random.Random(seed)))


def test_a_seed_is_a_recording_and_seeds_differ():
    assert events(5) == events(5)
    assert events(5) != events(6)


@pytest.mark.parametrize("seed", range(4))
def test_books_follow_without_gap_or_cross_and_trades_print_at_shown_prices(seed):
    book = OrderBook(SequenceRule.CHAINED)
    diffs = trades = 0
    last_ns = 0
    for event in events(seed):
        assert event.recorded_ns >= last_ns
        last_ns = event.recorded_ns
        if isinstance(event, Snapshot):
            assert book.apply_snapshot(event.update_id, event.bids, event.asks) == BookCode.OK
        elif isinstance(event, TradePrint):
            trades += 1
            side = BookSide.BID if event.seller_is_taker else BookSide.ASK
            assert book.lots_at(side, event.price_ticks) > 0
            assert event.qty_lots > 0
        else:
            diffs += 1
            code = book.apply_delta(
                0, event.update_id, event.prev_update_id, event.bids, event.asks
            )
            assert code == BookCode.OK
            assert len(book.levels(BookSide.BID, 100)) > 40
    assert diffs == 300
    assert trades > 60
    assert last_ns - events(seed)[0].recorded_ns == 300 * STEP_NS


def _flow(book: OrderBook, before: tuple) -> int:
    """Order-flow imbalance of one update (Cont, Kukanov, Stoikov 2014)."""
    (bid, bid_lots), (ask, ask_lots) = book.best(0), book.best(1)
    (old_bid, old_bid_lots), (old_ask, old_ask_lots) = before
    flow = bid_lots * (bid >= old_bid) - old_bid_lots * (bid <= old_bid)
    return flow - ask_lots * (ask <= old_ask) + old_ask_lots * (ask >= old_ask)


@pytest.mark.parametrize("seed", [1, 7])
def test_order_flow_of_two_seconds_leads_the_next_two(seed):
    book = OrderBook(SequenceRule.CHAINED)
    mids, flows = [], []
    for event in events(seed, SyntheticSettings(steps=6_000)):
        if isinstance(event, TradePrint):
            continue
        if isinstance(event, Snapshot):
            book.apply_snapshot(event.update_id, event.bids, event.asks)
            continue
        before = (book.best(0), book.best(1))
        book.apply_delta(0, event.update_id, event.prev_update_id, event.bids, event.asks)
        flows.append(_flow(book, before))
        mids.append(book.best(0)[0] + book.best(1)[0])
    points = range(20, len(mids) - 20, 5)
    past = [sum(flows[i - 20 : i]) for i in points]
    ahead = [mids[i + 20] - mids[i] for i in points]
    agree = sum(1 for p, a in zip(past, ahead, strict=True) if p * a > 0)
    assert agree / len(past) > 0.6
    moves = [abs(mids[i + 200] - mids[i]) for i in range(0, len(mids) - 200, 50)]
    assert max(moves) > 2 * 60 * 8  # a breakout of more than 8 bps in 20 s
    assert min(moves) < 2 * 60 * 3  # and quiet ranges
