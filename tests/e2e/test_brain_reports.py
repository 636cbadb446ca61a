"""The Brain as a process: killed under load, cut off, fed gaps; it ends where the fold ends."""

from __future__ import annotations

import asyncio
import random

import pytest
from titan.risk.v1 import trading_state_pb2 as state_pb
from titan_brain.ledger.book import Book
from titan_brain.ledger.fold import Effects, Grid, apply
from titan_brain.ledger.rows import empty_cursor
from titan_brain.ledger.state_hash import hash_of_book
from titan_testkit.brain_process import BrainProcess, until
from titan_testkit.brain_rig import BrainRig
from titan_testkit.exec_journal import ACCOUNT, SYMBOLS

pytestmark = pytest.mark.e2e


def expected_hash(rig: BrainRig) -> bytes:
    book = Book(empty_cursor(ACCOUNT))
    grid = Grid(ACCOUNT, "paper", dict.fromkeys(SYMBOLS, 100_000))
    for report in rig.journal.reports:
        apply(book, grid, report, Effects())
    return hash_of_book(book)


async def test_kill_9_under_load_ends_at_the_fold(brain_rig: BrainRig) -> None:
    rig = brain_rig
    dice = random.Random(4)
    journal, done = rig.execution.journal, asyncio.Event()

    async def load() -> None:
        while not done.is_set():
            first = len(journal.reports)
            journal.trade_day(first + 150)
            fresh = list(journal.reports[first:])
            if dice.random() < 0.3:
                # What the outbox never sent is found by its gap and pulled from the journal.
                del fresh[dice.randrange(len(fresh) - 1)]
            again = journal.reports[max(0, first - 40) : first] if dice.random() < 0.3 else []
            await rig.execution.publish([*again, *fresh])
            await asyncio.sleep(0.02)

    loading = asyncio.ensure_future(load())
    applied = 0
    for _ in range(4):
        rig.brain.start()
        await rig.brain.ready()
        goal = applied + dice.randint(200, 800)
        await rig.brain.applied(goal)
        rig.brain.kill()
        applied = goal
    done.set()
    await loading
    rig.brain.start()
    await rig.brain.ready()
    await rig.brain.applied(len(journal.reports))
    funnel = await rig.brain.funnel()
    assert funnel.applied_lsn == len(journal.reports)
    assert funnel.state_hash == expected_hash(rig)
    assert funnel.confirmed == len(journal.orders)
    assert funnel.fills == journal.trades
    assert rig.brain.terminate() == 0
    rig.brain.start()
    await rig.brain.ready()
    assert (await rig.brain.funnel()).state_hash == expected_hash(rig)
    epochs = {lease.brain_epoch for lease in rig.execution.leases}
    assert max(epochs) == 6


async def test_it_waits_for_execution_and_catches_up_before_normal(brain_rig: BrainRig) -> None:
    rig = brain_rig
    journal = rig.execution.journal
    journal.trade_day(400)
    await rig.execution.stop()
    rig.brain.start()
    await rig.brain.ready()
    allocation = await rig.brain.allocation()
    assert allocation.state == state_pb.TRADING_STATE_DEFENSIVE
    assert allocation.applied_lsn == 0
    await rig.execution.start()
    # Nothing was ever published: the start itself pulls the journal.
    await rig.brain.applied(400)
    assert (await rig.brain.allocation()).state == state_pb.TRADING_STATE_DEFENSIVE

    async def is_normal() -> bool:
        await rig.execution.tell_truth()
        return (await rig.brain.allocation()).state == state_pb.TRADING_STATE_NORMAL

    await until(is_normal)
    granted = rig.execution.leases
    assert all(x.applied_lsn >= 400 for x in granted if x.state == state_pb.TRADING_STATE_NORMAL)

    async def is_blind() -> bool:
        answer = await rig.brain.allocation()
        return answer.cause == state_pb.BREAKER_CAUSE_BLIND

    await until(is_blind)
    assert (await rig.brain.allocation()).state == state_pb.TRADING_STATE_DEFENSIVE
    await until(is_normal)


async def test_one_brain_per_database(brain_rig: BrainRig) -> None:
    rig = brain_rig
    rig.brain.start()
    await rig.brain.ready()
    second = BrainProcess(rig.brain.home, 1)
    second.start()
    assert second.wait() == 73
    assert "INSTANCE_LOCK_HELD" in rig.brain.log()
    await second.close()
    assert rig.brain.terminate() == 0


async def test_poison_halts_at_the_edge_and_stays_halted(brain_rig: BrainRig) -> None:
    rig = brain_rig
    journal = rig.execution.journal
    journal.trade_day(50)
    rig.brain.start()
    await rig.brain.ready()
    await rig.execution.publish(journal.reports)
    await rig.brain.applied(50)
    bad = journal.add(journal.reports[-1].kind, intent_id=bytes(16), client_order_id="x")
    bad.kind = 6  # A fill without trade id, side, size or price.
    await rig.execution.publish([bad])

    async def is_halted() -> bool:
        return (await rig.brain.allocation()).state == state_pb.TRADING_STATE_HALTED

    await until(is_halted)
    assert rig.execution.brakes[0].cause == state_pb.BREAKER_CAUSE_POISON
    assert rig.execution.leases[-1].state == state_pb.TRADING_STATE_HALTED
    assert (await rig.brain.allocation()).applied_lsn == bad.lsn - 1
    rig.brain.kill()
    rig.brain.start()
    await rig.brain.ready()
    assert (await rig.brain.allocation()).state == state_pb.TRADING_STATE_HALTED
