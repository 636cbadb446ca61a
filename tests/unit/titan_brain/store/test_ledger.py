"""Exactly once: whatever the order and number of deliveries, the database equals the pure fold."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from titan.execution.v1 import execution_report_pb2 as pb
from titan.risk.v1 import trading_state_pb2
from titan_brain.ledger.book import Book
from titan_brain.ledger.fold import Effects, Grid, apply
from titan_brain.ledger.rows import empty_cursor
from titan_brain.ledger.state_hash import hash_of_book
from titan_brain.store import ledger as ledger_module
from titan_brain.store import schema
from titan_brain.store.database import Database
from titan_brain.store.ledger import Delivered, Ledger
from titan_brain.store.pictures import Pictures
from titan_testkit.exec_journal import ACCOUNT, SYMBOLS, ExecJournal

GRID = Grid(ACCOUNT, "paper", dict.fromkeys(SYMBOLS, 100_000))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path / "brain.db")
    await opened.open()
    yield opened
    await opened.close()


def delivered(reports: Sequence[pb.ExecutionReport]) -> list[Delivered]:
    return [Delivered(report, report.SerializeToString()) for report in reports]


def folded(reports: Sequence[pb.ExecutionReport]) -> Book:
    book = Book(empty_cursor(ACCOUNT))
    for report in reports:
        apply(book, GRID, report, Effects())
    return book


async def state_of(database: Database) -> bytes:
    return await Pictures(database, ACCOUNT).state_hash()


async def rows_of(database: Database, table: sa.Table) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


@pytest.mark.parametrize("seed", range(6))
async def test_any_delivery_order_ends_at_the_fold(database: Database, seed: int) -> None:
    reports = ExecJournal(seed).trade_day(600)
    ledger, dice = Ledger(database, GRID), random.Random(seed)
    applied = gaps = duplicates = 0
    while applied < len(reports):
        first = max(0, applied - dice.randint(0, 20) + dice.randint(0, 8))
        batch = list(reports[first : first + dice.randint(1, 60)])
        batch += dice.sample(batch, len(batch) // 3)
        if len(batch) > 2 and dice.random() < 0.3:
            del batch[dice.randrange(len(batch))]
        dice.shuffle(batch)
        outcome = await ledger.apply(delivered(batch))
        assert outcome.poison is None
        gaps += outcome.gap is not None
        duplicates += outcome.duplicates
        if outcome.gap is not None:
            first_missing, last_missing = outcome.gap
            assert first_missing == outcome.applied_lsn + 1
            outcome = await ledger.apply(delivered(reports[first_missing - 1 : last_missing]))
            assert outcome.gap is None
        applied = outcome.applied_lsn
    assert gaps > 0
    assert duplicates > 0
    assert await state_of(database) == hash_of_book(folded(reports))
    assert await rows_of(database, schema.REPORTS) == len(reports)


async def test_sums_equal_the_journals_own_at_every_lsn(database: Database) -> None:
    journal = ExecJournal(3)
    at_lsn = {}
    for _ in range(40):
        journal.trade_day(len(journal.reports) + 10)
        at_lsn[len(journal.reports)] = (
            dict(journal.positions),
            dict(journal.cash_nanos),
            dict(journal.fee_nanos),
        )
    await Ledger(database, GRID).apply(delivered(journal.reports))
    pictures = Pictures(database, ACCOUNT)
    for lsn, (positions, cash, fees) in at_lsn.items():
        sums = await pictures.sums_at(lsn, dict.fromkeys(SYMBOLS, 100_000))
        assert sums is not None
        for symbol in positions:
            found = sums[symbol]
            assert (found.position_lots, found.cash_nanos, found.fee_nanos) == (
                positions[symbol],
                cash[symbol],
                fees[symbol],
            )
    assert await pictures.sums_at(len(journal.reports) + 1, {}) is None


STEPS = ["_report_row", "_upsert", "_move_cursor"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_failure_between_statements_leaves_nothing(
    database: Database, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = ExecJournal(5).trade_day(120)
    ledger = Ledger(database, GRID)
    await ledger.apply(delivered(reports[:60]))
    before = await state_of(database)

    def broken(*_: object) -> None:
        raise OSError("the disk went away")

    with monkeypatch.context() as patch:
        patch.setattr(ledger_module, step, broken)
        with pytest.raises(OSError, match="disk"):
            await ledger.apply(delivered(reports[60:]))
    assert await state_of(database) == before
    assert await rows_of(database, schema.REPORTS) == 60
    outcome = await ledger.apply(delivered(reports[60:]))
    assert outcome.applied == 60
    assert await state_of(database) == hash_of_book(folded(reports))


async def test_poison_stops_where_it_is_and_keeps_the_prefix(database: Database) -> None:
    reports = ExecJournal(9).trade_day(50)
    bad = pb.ExecutionReport()
    bad.CopyFrom(reports[30])
    bad.account = "other"
    ledger = Ledger(database, GRID)
    outcome = await ledger.apply(delivered([*reports[:30], bad, *reports[31:]]))
    assert outcome.poison is not None
    assert (outcome.poison.code, outcome.poison.lsn) == ("ACCOUNT_OTHER", 31)
    assert outcome.applied_lsn == 30
    assert (await ledger.apply(delivered(reports[31:]))).gap == (31, 31)
    assert (await ledger.apply(delivered(reports[30:]))).applied_lsn == len(reports)


async def test_a_reused_lsn_of_a_newer_epoch_is_poison(database: Database) -> None:
    journal = ExecJournal(9)
    reports = journal.trade_day(50)
    ledger = Ledger(database, GRID)
    await ledger.apply(delivered(reports))
    again = pb.ExecutionReport(lsn=50, epoch=journal.epoch + 1, kind=pb.RECORD_KIND_EPOCH)
    outcome = await ledger.apply(delivered([again]))
    assert outcome.poison is not None
    assert outcome.poison.code == "LSN_REUSED"


async def test_restarts_and_overfills_count_from_the_last_resume(database: Database) -> None:
    journal = ExecJournal(1)
    for _ in range(4):
        journal.start()
    order = journal.confirm(qty_lots=5, symbol="BTCUSDT")
    journal.fill(order, 6)
    ledger, pictures = Ledger(database, GRID), Pictures(database, ACCOUNT)
    await ledger.apply(delivered(journal.reports))
    picture = await pictures.now(600_000_000_000)
    assert (picture.restarts, picture.overfills) == (3, 1)
    assert (await pictures.now(1_500_000)).restarts == 2
    journal.halt(trading_state_pb2.BREAKER_CAUSE_RESTARTS)
    halted = (await ledger.apply(delivered(journal.reports))).effects.edge_changed
    assert halted
    assert (await ledger.cursor()).halted == 1
    journal.resume()
    journal.start()
    await ledger.apply(delivered(journal.reports))
    picture = await pictures.now(600_000_000_000)
    assert (picture.restarts, picture.overfills, picture.cursor.halted) == (1, 0, 0)


async def test_a_full_batch_fits_the_parameters_of_sqlite(database: Database) -> None:
    reports = ExecJournal(2).trade_day(ledger_module.MAX_BATCH)
    outcome = await Ledger(database, GRID).apply(delivered(reports[: ledger_module.MAX_BATCH]))
    assert outcome.applied == ledger_module.MAX_BATCH
