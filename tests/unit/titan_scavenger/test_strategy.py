"""Scavenger on whole sessions: trades enough, explains itself, one round trip at a time."""

from collections import Counter
from itertools import pairwise

import pytest
from titan_scavenger.config import ScavengerConfig
from titan_scavenger.strategy import Scavenger
from titan_sdk import (
    ExecType,
    Intent,
    OrderHandle,
    OrdStatus,
    RecordKind,
    Rejected,
    RejectReason,
    Side,
    TimeInForce,
    TradingState,
)
from titan_sdk.testing import Bench, BookEvent, SessionEvent, SimulatedReport, TradeEvent
from unit.titan_scavenger.market import CAPTURES, recorded, synthetic
from unit.titan_sdk.kit import ids, instruments

_S = 1_000_000_000


def play(events: tuple[SessionEvent, ...], **changes: object) -> Bench:
    bench = Bench(Scavenger, ScavengerConfig(**changes), instruments(), ids=ids())  # type: ignore[arg-type]
    bench.play(events)
    return bench


def rules(bench: Bench) -> Counter[str]:
    return Counter(intent.rule.partition(".")[0] for intent in bench.execution.intents)


@pytest.mark.parametrize("seed", range(1, 6))
def test_ten_synthetic_minutes_give_enough_to_watch(seed: int) -> None:
    bench = play(synthetic(seed))
    assert bench.desk.counts.signals >= 150
    assert bench.desk.counts.accepted >= 0.9 * bench.desk.counts.signals
    assert bench.desk.counts.fills >= 80
    seen = rules(bench)
    assert min(seen["breakout"], seen["level_fade"], seen["failed_break"], seen["take_profit"]) > 0
    assert seen["stop"] + seen["time_stop"] > 0
    life = Counter(intent.time_in_force for intent in bench.execution.intents)
    assert life.keys() == {TimeInForce.IOC, TimeInForce.POST_ONLY, TimeInForce.GTC}
    assert bench.desk.counts.cancels > 10


@pytest.mark.skipif(not CAPTURES.exists(), reason="no recorded market beside the repository")
def test_recorded_btcusdt_is_traded() -> None:
    bench = play(recorded("usdm"))
    assert bench.desk.counts.signals >= 50
    assert bench.desk.counts.fills >= 30


def test_every_intent_explains_itself_and_exits_only_reduce() -> None:
    bench = play(synthetic(7))
    for intent in bench.execution.intents:
        assert intent.rule
        assert intent.arrival_mid_half_ticks > 0
        told = dict(intent.inputs)
        assert {"ofi_lots", "recorded_ns"} <= told.keys()
        entry = intent.rule.partition(".")[0] in {"breakout", "level_fade", "failed_break"}
        assert intent.reduce_only is not entry
        if entry:
            assert {"level_ticks", "flow_pct", "ofi_typical_lots"} <= told.keys()
    edges = [i.expected_edge_ppm for i in bench.execution.intents if i.rule.startswith("breakout")]
    assert any(edge > 0 for edge in edges)


def test_the_position_never_exceeds_one_order() -> None:
    bench = Bench(Scavenger, ScavengerConfig(), instruments(), ids=ids())
    bench.desk.start()
    for event in synthetic(7):
        bench.feed(event)
        assert abs(bench.desk.position_lots("BTCUSDT")) <= 10
        assert len(bench.desk.working) <= 2


def test_the_same_session_gives_the_same_intents() -> None:
    one, other = play(synthetic(7)), play(synthetic(7))
    assert one.execution.intents == other.execution.intents


def test_without_a_lease_nothing_is_opened() -> None:
    bench = Bench(Scavenger, ScavengerConfig(), instruments(), ids=ids())
    bench.desk.start()
    grant = bench.execution.grant
    bench.execution.grant = lambda *args: grant(state=TradingState.DEFENSIVE)  # type: ignore[method-assign]
    for event in synthetic(7):
        bench.feed(event)
    assert bench.desk.counts.signals == 0


def test_a_lease_that_lapses_with_a_position_still_lets_it_out() -> None:
    bench = Bench(Scavenger, ScavengerConfig(), instruments(), ids=ids())
    bench.desk.start()
    grant, state = bench.execution.grant, TradingState.NORMAL
    bench.execution.grant = lambda *args: grant(state=state)  # type: ignore[method-assign]
    for event in synthetic(7):
        bench.feed(event)
        if state is TradingState.NORMAL and bench.desk.position_lots("BTCUSDT"):
            state = TradingState.DEFENSIVE
            before = len(bench.execution.intents)
    assert state is TradingState.DEFENSIVE
    assert bench.desk.position_lots("BTCUSDT") == 0
    assert all(intent.reduce_only for intent in bench.execution.intents[before + 2 :])


def test_a_denied_symbol_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    denied: list[int] = []

    def gate(intent: Intent) -> Rejected | None:
        return Rejected(RejectReason.BOOK_STALE, 3_000, 2_000)

    original = Scavenger.on_rejected

    def on_rejected(self: Scavenger, order: OrderHandle, rejected: Rejected) -> None:
        denied.append(self.now_ns)
        original(self, order, rejected)

    monkeypatch.setattr(Scavenger, "on_rejected", on_rejected)
    bench = Bench(Scavenger, ScavengerConfig(), instruments(), ids=ids(), gate=gate)
    bench.play(synthetic(7))
    assert bench.desk.counts.accepted == 0
    assert len(denied) > 20
    assert min(b - a for a, b in pairwise(denied)) >= 500_000_000


def test_a_stop_is_taken_when_price_runs_away() -> None:
    """A planted market: entry by breakout, then the price falls through the stop."""
    bench = Bench(
        Scavenger, ScavengerConfig(stop_ticks=20, hold_ms=600_000), instruments(), ids=ids()
    )
    bench.desk.start()
    events: list[SessionEvent] = list(synthetic(7))
    for event in events:
        bench.feed(event)
        position = bench.desk.position_lots("BTCUSDT")
        if position:
            break
    price = bench.desk.book("BTCUSDT").best_bid_ticks
    run = -1 if position > 0 else 1
    at_ns = event.recorded_ns
    for step in range(1, 40):
        mid = price + run * 3 * step
        at_ns += _S // 10
        bench.feed(
            BookEvent("BTCUSDT", at_ns, True, 0, 10**9 + step, [mid], [900], [mid + 1], [900])
        )
        bench.feed(TradeEvent("BTCUSDT", at_ns, mid, 1, run < 0))
        if bench.desk.position_lots("BTCUSDT") == 0:
            break
    assert position != 0
    assert bench.desk.position_lots("BTCUSDT") == 0
    assert bench.execution.intents[-1].rule == "stop"
    assert bench.execution.intents[-1].time_in_force is TimeInForce.IOC


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_position_of_an_earlier_run_is_left_at_once(side: Side) -> None:
    bench = Bench(Scavenger, ScavengerConfig(), instruments(), ids=ids())
    fill = SimulatedReport(
        1, RecordKind.FILL, bytes(16), "scavenger", "BTCUSDT", side, ExecType.TRADE,
        OrdStatus.FILLED, last_qty_lots=7, last_price_ticks=600_000,
    )  # fmt: skip
    bench.desk.remember(fill)
    bench.desk.start()
    assert abs(bench.desk.position_lots("BTCUSDT")) == 7
    bench.execution._lsn = 1
    for event in synthetic(7)[:10]:
        bench.feed(event)
        if bench.desk.position_lots("BTCUSDT") == 0:
            break
    assert bench.desk.position_lots("BTCUSDT") == 0
    assert [intent.reduce_only for intent in bench.execution.intents] == [True]


def test_a_part_filled_entry_does_not_delay_the_stop() -> None:
    bench = Bench(Scavenger, ScavengerConfig(rest_ms=600_000), instruments(), ids=ids())
    bench.desk.start()
    strategy = bench.strategy
    assert isinstance(strategy, Scavenger)
    at_ns, price = 10**18, 600_000

    def book(update_id: int, bid: int) -> BookEvent:
        return BookEvent(
            "BTCUSDT",
            at_ns + update_id * _S // 10,
            True,
            0,
            update_id,
            [bid],
            [900],
            [bid + 1],
            [900],
        )

    bench.feed(book(1, price))
    entry = strategy.buy(
        "BTCUSDT", qty_lots=10, price_ticks=price - 5, rule="test",
        time_in_force=TimeInForce.POST_ONLY,
    )  # fmt: skip
    round_trip = strategy._rounds["BTCUSDT"]
    round_trip.entry, round_trip.entered_ns = entry, at_ns
    bench.feed(book(2, price))
    bench.feed(TradeEvent("BTCUSDT", at_ns + _S, price - 6, 4, True))
    assert (bench.desk.position_lots("BTCUSDT"), entry.working) == (4, True)
    for step in range(3, 8):
        bench.feed(book(step + 10, price - 200))
        if entry.cum_qty_lots == 10 or bench.desk.position_lots("BTCUSDT") == 0:
            break
    for step in range(20, 24):
        bench.feed(book(step, price - 200))
    assert bench.desk.position_lots("BTCUSDT") == 0
    assert bench.execution.intents[-1].rule == "stop"
