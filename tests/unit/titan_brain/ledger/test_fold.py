"""The fold: its sums equal the journal's own; an impossible report is refused, unchanged."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from titan.execution.v1 import execution_report_pb2 as pb
from titan.risk.v1 import trading_state_pb2
from titan.trading.v1 import order_pb2
from titan_brain.ledger.book import Book
from titan_brain.ledger.fold import Effects, Grid, Unapplicable, apply
from titan_brain.ledger.rows import empty_cursor
from titan_brain.ledger.state_hash import hash_of_book
from titan_brain.ledger.valuation import results_by_phase, total, value_nanos
from titan_testkit.exec_journal import ACCOUNT, SYMBOLS, ExecJournal

GRID = Grid(ACCOUNT, "paper", dict.fromkeys(SYMBOLS, 100_000))


def fold(journal: ExecJournal, effects: Effects | None = None) -> Book:
    book = Book(empty_cursor(ACCOUNT))
    for report in journal.reports:
        apply(book, GRID, report, Effects() if effects is None else effects)
    return book


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_sums_equal_the_journals_own(seed: int) -> None:
    journal, effects = ExecJournal(seed), Effects()
    journal.trade_day(150)
    book = fold(journal, effects)
    assert effects.anomalies == []
    assert len(book.fills) == journal.trades
    assert len(book.orders) == len(journal.orders)
    for symbol in SYMBOLS:
        rows = [row for row in book.positions.values() if row.symbol == symbol]
        assert sum(row.position_lots for row in rows) == journal.positions[symbol]
        assert sum(row.cash_nanos for row in rows) == journal.cash_nanos[symbol]
        assert sum(row.fee_nanos for row in rows) == journal.fee_nanos[symbol]
    for order in journal.orders:
        assert book.orders[order.intent_id.hex()].cum_qty_lots == order.cum_lots
    results = results_by_phase(book.positions.values(), {}, GRID.nanos_per_tick_lot)
    assert total(results.values()).fee_nanos == sum(journal.fee_nanos.values())


def next_report(journal: ExecJournal, **facts: object) -> pb.ExecutionReport:
    values = {
        "lsn": len(journal.reports) + 1,
        "epoch": journal.epoch,
        "kind": pb.RECORD_KIND_FILL,
        "account": ACCOUNT,
        "intent_id": journal.orders[0].intent_id,
        "client_order_id": journal.orders[0].client_order_id,
        "phase_id": "scavenger",
        "symbol": "BTCUSDT",
        "side": order_pb2.SIDE_BUY,
        "trade_id": "new",
        "last_qty_lots": 1,
        "last_price_ticks": 600_000,
    }
    return pb.ExecutionReport(**{**values, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"account": "other"}, "ACCOUNT_OTHER"),
        ({"kind": 0}, "KIND_UNKNOWN"),
        ({"kind": 99}, "KIND_UNKNOWN"),
        ({"lsn": 1}, "LSN_NOT_NEXT"),
        ({"lsn": 10**9}, "LSN_NOT_NEXT"),
        ({"epoch": 0}, "EPOCH_BACKWARDS"),
        ({"epoch": 9}, "EPOCH_UNANNOUNCED"),
        ({"symbol": "NOPE"}, "SYMBOL_UNKNOWN"),
        ({"side": 0}, "FILL_INVALID"),
        ({"last_qty_lots": 0}, "FILL_INVALID"),
        ({"last_price_ticks": -1}, "FILL_INVALID"),
        ({"trade_id": ""}, "FILL_WITHOUT_TRADE_ID"),
        ({"last_qty_lots": 1 << 40, "last_price_ticks": 1 << 30}, "MONEY_OVERFLOW"),
        ({"kind": pb.RECORD_KIND_BUST}, "BUST_OF_NOTHING"),
        ({"kind": pb.RECORD_KIND_CONFIRMED}, "CONFIRMED_TWICE"),
        ({"kind": pb.RECORD_KIND_CONFIRMED, "intent_id": b""}, "CONFIRMED_WITHOUT_ID"),
        (
            {"kind": pb.RECORD_KIND_VENUE_ACK, "intent_id": b"", "client_order_id": ""},
            "ORDER_UNNAMED",
        ),
    ],
)
def test_an_impossible_report_is_refused_and_changes_nothing(
    facts: dict[str, object], code: str
) -> None:
    journal = ExecJournal(4)
    journal.trade_day(60)
    book = fold(journal)
    before = hash_of_book(book), copy.copy(book.cursor)
    with pytest.raises(Unapplicable) as caught:
        apply(book, GRID, next_report(journal, **facts), Effects())
    assert caught.value.code == code
    assert (hash_of_book(book), book.cursor) == before


def test_a_trade_key_counts_once_and_may_not_change() -> None:
    journal = ExecJournal(4)
    journal.start()
    order = journal.confirm(side=order_pb2.SIDE_BUY, qty_lots=9, symbol="BTCUSDT")
    fill = journal.fill(order, 4)
    book = fold(journal)
    again = pb.ExecutionReport()
    again.CopyFrom(fill)
    again.lsn += 1
    apply(book, GRID, again, Effects())
    assert (
        book.position("scavenger", "BTCUSDT").position_lots
        + book.position("hunter", "BTCUSDT").position_lots
        == 4
    )
    assert book.cursor.applied_lsn == again.lsn
    again.lsn += 1
    again.last_qty_lots = 5
    with pytest.raises(Unapplicable, match="TRADE_CONFLICT"):
        apply(book, GRID, again, Effects())


def test_a_bust_takes_the_fill_out_again() -> None:
    journal = ExecJournal(4)
    journal.start()
    order = journal.confirm(side=order_pb2.SIDE_SELL, qty_lots=9, symbol="BTCUSDT")
    journal.fill(order, 4)
    flat = {key: copy.copy(row) for key, row in fold(journal).positions.items()}
    fill = journal.fill(order, 5)
    journal.positions["BTCUSDT"] += 5
    journal.add(
        pb.RECORD_KIND_BUST,
        intent_id=order.intent_id,
        phase_id=order.phase_id,
        symbol="BTCUSDT",
        trade_id=fill.trade_id,
        cum_qty_lots=4,
        position_lots=journal.positions["BTCUSDT"],
        ord_status=order_pb2.ORD_STATUS_PARTIALLY_FILLED,
    )
    effects = Effects()
    book = fold(journal, effects)
    assert effects.anomalies == []
    for key, row in flat.items():
        found = book.positions[key]
        assert (found.position_lots, found.cash_nanos, found.fee_nanos) == (
            row.position_lots,
            row.cash_nanos,
            row.fee_nanos,
        )
    assert book.orders[order.intent_id.hex()].cum_qty_lots == 4


def test_contradictions_are_named_and_the_fill_still_counts() -> None:
    journal = ExecJournal(4)
    journal.start()
    order = journal.confirm(side=order_pb2.SIDE_BUY, qty_lots=3, symbol="BTCUSDT")
    report = journal.fill(order, 4)
    report.cum_qty_lots = 2
    report.position_lots = 7
    effects = Effects()
    book = fold(journal, effects)
    assert [(row.code, row.found, row.expected) for row in effects.anomalies] == [
        ("OVERFILL", 4, 3),
        ("CUM_DRIFT", 2, 4),
        ("POSITION_DRIFT", 7, 4),
    ]
    assert book.position_lots("BTCUSDT") == 4


def test_brake_records_move_the_cursor() -> None:
    journal = ExecJournal(4)
    journal.start()
    journal.halt(trading_state_pb2.BREAKER_CAUSE_LOSS, "brain")
    cursor = fold(journal).cursor
    assert (cursor.halted, cursor.halt_epoch, cursor.halt_operator) == (1, 1, "brain")
    assert cursor.halt_cause == trading_state_pb2.BREAKER_CAUSE_LOSS
    resumed = journal.resume()
    cursor = fold(journal).cursor
    assert (cursor.halted, cursor.halt_epoch, cursor.resumed_lsn) == (0, 1, resumed.lsn)


def test_an_external_order_is_found_by_the_venues_id_and_an_adopted_one_by_ours() -> None:
    journal = ExecJournal(4)
    journal.start()
    order = journal.confirm()
    journal.add(
        pb.RECORD_KIND_ADOPTED, client_order_id=order.client_order_id, venue_order_id="v1",
        ord_status=order_pb2.ORD_STATUS_NEW,
    )  # fmt: skip
    for _ in range(2):
        journal.add(pb.RECORD_KIND_EXTERNAL, venue_order_id="v9", symbol="BTCUSDT")
    book = fold(journal)
    assert len(book.orders) == 2
    adopted = book.orders[order.intent_id.hex()]
    assert (adopted.venue_order_id, adopted.acknowledged, adopted.external) == ("v1", 1, 0)
    assert book.orders["~v9"].external == 1


def test_a_position_is_worth_the_mid_and_half_a_nano_is_cut() -> None:
    assert value_nanos(3, 7, 1) == 10
    assert value_nanos(-3, 7, 1) == -10
    assert value_nanos(2, 7, 5) == 35
