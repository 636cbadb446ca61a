"""The desk: handlers, positions, duplicates, back-pressure, timers, leases, late evidence."""

from dataclasses import replace

import pytest
from titan_mesh.errors import TitanError
from titan_sdk import (
    Allowance,
    Bar,
    Book,
    OrderHandle,
    OrdStatus,
    PhaseConfig,
    RecordKind,
    Rejected,
    RejectReason,
    Report,
    Side,
    Strategy,
    TimeInForce,
    Trade,
    TradingState,
)
from titan_sdk.testing import Bench, BookEvent, TradeEvent
from titan_sdk.testing.execution import SimulatedLease
from unit.titan_sdk.kit import ids, instruments

_S = 1_000_000_000
SYMBOL = "BTCUSDT"


class Recorder(Strategy):
    phase_id = "scavenger"
    bar_interval_ns = 10 * _S

    def on_start(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self.every("tick", 5 * _S)

    def on_book(self, book: Book) -> None:
        self.heard.append(("book", book.update_id))

    def on_trade(self, trade: Trade) -> None:
        self.heard.append(("trade", trade.price_ticks))

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(("bar", bar.close_ticks))

    def on_report(self, order: OrderHandle, report: Report) -> None:
        self.heard.append((report.kind.name or "", order.status.name))

    def on_rejected(self, order: OrderHandle, rejected: Rejected) -> None:
        self.heard.append(("rejected", rejected.reason.name))

    def on_lease(self, allowance: Allowance) -> None:
        self.heard.append(("lease", allowance.lease_sequence))

    def on_timer(self, name: str) -> None:
        self.heard.append((name, self.now_ns // _S))

    def on_stop(self) -> None:
        self.heard.append(("stop", self.position_lots(SYMBOL)))

    def said(self, *kinds: str) -> list[object]:
        return [what for kind, what in self.heard if kind in kinds]


def book(at_s: float, update_id: int = 1, bid: int = 600_000, lots: int = 50) -> BookEvent:
    prices = [bid, bid - 1], [lots, lots], [bid + 1, bid + 2], [lots, lots]
    return BookEvent(SYMBOL, int(at_s * _S), True, 0, update_id, *prices)


def trade(at_s: float, price: int, lots: int = 5) -> TradeEvent:
    return TradeEvent(SYMBOL, int(at_s * _S), price, lots, False)


@pytest.fixture
def bench() -> Bench:
    made = Bench(Recorder, PhaseConfig(), instruments(), ids=ids())
    made.desk.start()
    return made


def recorder(bench: Bench) -> Recorder:
    assert isinstance(bench.strategy, Recorder)
    return bench.strategy


def test_a_taking_order_is_heard_step_by_step(bench: Bench) -> None:
    bench.feed(book(1))
    order = bench.strategy.buy(SYMBOL, qty_lots=60, price_ticks=600_001, rule="test")
    assert (order.outcome, order.working, order.leaves_qty_lots) == (None, True, 60)
    bench.feed(book(2, 2))
    assert recorder(bench).said("CONFIRMED", "VENUE_ACK", "FILL", "CANCELED") == [
        "PENDING_NEW",
        "NEW",
        "PARTIALLY_FILLED",
        "CANCELED",
    ]
    assert (order.accepted, order.done, order.cum_qty_lots) == (True, True, 50)
    assert order.average_price_ticks == 600_001
    assert order.leaves_qty_lots == 0
    assert bench.strategy.position_lots(SYMBOL) == 50
    assert bench.desk.working == []
    assert order.intent.arrival_mid_half_ticks == 1_200_001


def test_a_resting_order_fills_by_a_print_through_it_or_is_cancelled(bench: Bench) -> None:
    bench.feed(book(1))
    rest = TimeInForce.POST_ONLY
    one = bench.strategy.sell(SYMBOL, qty_lots=4, price_ticks=600_005, rule="a", time_in_force=rest)
    other = bench.strategy.sell(
        SYMBOL, qty_lots=9, price_ticks=600_009, rule="b", time_in_force=rest
    )
    bench.feed(trade(2, 600_005))
    assert one.cum_qty_lots == 0, "a print at the price is not a print through it"
    bench.feed(trade(3, 600_006))
    assert (one.status, bench.strategy.position_lots(SYMBOL)) == (OrdStatus.FILLED, -4)
    bench.strategy.cancel(other)
    bench.strategy.cancel(other)
    bench.feed(trade(4, 600_000))
    assert other.status is OrdStatus.CANCELED
    assert bench.desk.counts.cancels == 1
    bench.strategy.cancel(one)
    assert bench.desk.counts.cancels == 1, "an order that ended is not cancelled"


def test_a_denial_reaches_on_rejected_after_the_event(bench: Bench) -> None:
    denial = Rejected(RejectReason.PRICE_COLLAR, 9, 5)
    gated = Bench(Recorder, PhaseConfig(), instruments(), ids=ids(), gate=lambda intent: denial)
    gated.desk.start()
    gated.feed(book(1))
    order = gated.strategy.buy(SYMBOL, qty_lots=5, price_ticks=600_001, rule="test")
    gated.feed(book(2, 2))
    assert order.rejected == denial
    assert (order.done, order.accepted) == (True, False)
    assert recorder(gated).said("rejected") == ["PRICE_COLLAR"]
    assert gated.desk.counts.rejected == {"PRICE_COLLAR": 1}


def test_a_full_queue_is_a_coded_refusal(bench: Bench) -> None:
    bench.feed(book(1))
    bench.execution.capacity = 2
    orders = [
        bench.strategy.buy(SYMBOL, qty_lots=5, price_ticks=599_000 + n, rule="test")
        for n in range(3)
    ]
    assert [order.rejected is None for order in orders] == [True, True, False]
    refused = orders[2].rejected
    assert refused is not None
    assert (refused.reason, refused.limit, refused.field) == (
        RejectReason.OVERLOADED,
        2,
        "submit_queue",
    )
    assert refused.local
    assert recorder(bench).said("rejected") == [], "never inside of the strategy's own call"
    bench.feed(book(2, 2))
    assert recorder(bench).said("rejected") == ["OVERLOADED"]


def test_reports_count_once_and_only_for_the_own_phase(bench: Bench) -> None:
    bench.feed(book(1))
    bench.strategy.buy(SYMBOL, qty_lots=5, price_ticks=600_001, rule="test")
    reports = []
    desk = bench.desk
    take = desk.on_execution_report
    desk.on_execution_report = lambda wire: (reports.append(wire), take(wire))  # type: ignore[method-assign]
    bench.feed(book(2, 2))
    assert bench.strategy.position_lots(SYMBOL) == 5
    for wire in reports:
        take(wire)
    assert bench.strategy.position_lots(SYMBOL) == 5
    assert desk.counts.duplicate_reports == len(reports) == 3
    fill = next(wire for wire in reports if wire.kind is RecordKind.FILL)
    take(replace(fill, lsn=50, phase_id="hunter"))
    assert (bench.strategy.position_lots(SYMBOL), desk.counts.foreign_reports) == (5, 1)
    take(replace(fill, lsn=51, kind=RecordKind.BUST))
    assert bench.strategy.position_lots(SYMBOL) == 0
    take(replace(fill, lsn=20, epoch=2))
    assert bench.strategy.position_lots(SYMBOL) == 5, "a new epoch counts on from what was durable"
    take(replace(fill, lsn=52, epoch=1))
    assert bench.strategy.position_lots(SYMBOL) == 5


def test_fills_of_an_earlier_run_move_the_position(bench: Bench) -> None:
    bench.feed(book(1))
    bench.strategy.buy(SYMBOL, qty_lots=5, price_ticks=600_001, rule="test")
    reports = []
    bench.desk.on_execution_report = reports.append  # type: ignore[method-assign]
    bench.feed(book(2, 2))
    later = Bench(Recorder, PhaseConfig(), instruments(), ids=ids())
    later.desk.start()
    for wire in reports:
        later.desk.on_execution_report(wire)
    assert later.strategy.position_lots(SYMBOL) == 5
    assert recorder(later).said("FILL") == []


def test_late_evidence_brings_an_order_back(bench: Bench) -> None:
    bench.feed(book(1))
    order = bench.strategy.buy(
        SYMBOL, qty_lots=5, price_ticks=599_000, rule="test", time_in_force=TimeInForce.GTC
    )
    reports = []
    desk = bench.desk
    take = desk.on_execution_report
    desk.on_execution_report = lambda wire: (reports.append(wire), take(wire))  # type: ignore[method-assign]
    bench.feed(book(2, 2))
    last = reports[-1]
    take(replace(last, lsn=90, kind=RecordKind.NOT_PLACED, ord_status=OrdStatus.NOT_PLACED))
    assert (order.done, desk.working) == (True, [])
    take(replace(last, lsn=91, kind=RecordKind.ADOPTED, ord_status=OrdStatus.NEW))
    assert (order.done, desk.working) == (False, [order])


def test_an_unknown_order_keeps_working(bench: Bench) -> None:
    bench.feed(book(1))
    order = bench.strategy.buy(
        SYMBOL, qty_lots=5, price_ticks=599_000, rule="test", time_in_force=TimeInForce.GTC
    )
    bench.feed(book(2, 2))
    order.status = OrdStatus.UNKNOWN
    assert (order.working, order.leaves_qty_lots) == (True, 5)


def test_timers_and_bars_run_on_recorded_time(bench: Bench) -> None:
    for second in range(1, 31):
        bench.feed(trade(second, 600_000 + second))
    assert recorder(bench).said("tick") == [6, 11, 16, 21, 26]
    assert recorder(bench).said("bar") == [600_009, 600_019, 600_029]
    with pytest.raises(TitanError) as caught:
        bench.strategy.every("bad", 0)
    assert caught.value.code == "TIMER_INVALID"
    for number in range(63):
        bench.strategy.every(f"t{number}", _S)
    with pytest.raises(TitanError):
        bench.strategy.every("one_too_many", _S)


def test_a_lease_allows_until_it_lapses(bench: Bench) -> None:
    assert not bench.strategy.may_open
    bench.execution.grant()
    assert bench.strategy.may_open
    bench.clock.advance(2_999_999_999)
    assert bench.strategy.may_open
    bench.clock.advance(1)
    assert not bench.strategy.may_open
    bench.execution.grant(state=TradingState.DEFENSIVE)
    assert not bench.strategy.may_open
    bench.execution.grant(budget_nanos=0)
    assert not bench.strategy.may_open
    bench.execution.grant()
    assert bench.strategy.may_open
    older = SimulatedLease(1, (), state=TradingState.HALTED)
    bench.desk.on_risk_lease(older)
    assert bench.strategy.may_open, "an older lease says nothing new"
    assert recorder(bench).said("lease") == [1, 2, 3, 4]
    bench.desk.on_risk_lease(replace(older, lease_sequence=9))
    assert not bench.strategy.may_open


def test_other_symbols_are_not_heard_and_asking_for_them_is_coded(bench: Bench) -> None:
    bench.feed(replace(book(1), symbol="ETHUSDT"))
    assert recorder(bench).said("book") == []
    for ask in (bench.strategy.book, bench.strategy.position_lots):
        with pytest.raises(TitanError) as caught:
            ask("ETHUSDT")
        assert caught.value.code == "SYMBOL_UNKNOWN"


def test_every_intent_is_published_as_it_is_sent(bench: Bench) -> None:
    bench.feed(book(1))
    bench.strategy.sell(SYMBOL, qty_lots=5, price_ticks=600_000, rule="test")
    (payload,) = bench.execution.published
    assert bench.desk.working[0].intent_id in payload
    bench.feed(book(2, 2))
    assert bench.execution.intents[0].side is Side.SELL
    bench.desk.stop()
    assert recorder(bench).said("stop") == [-5]
