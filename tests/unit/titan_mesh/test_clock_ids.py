"""Clocks and ids: injected, repeatable, strictly increasing."""

from __future__ import annotations

import asyncio

import pytest
from titan_mesh.clock import ManualClock, SystemClock
from titan_mesh.ids import IdSource, SeededRng, SystemRng, unix_ms_of

MS = 1_000_000


def source(seed=1, clock=None):
    return IdSource(clock or ManualClock(), SeededRng(seed))


def test_ids_are_uuid7_of_the_injected_clock():
    clock = ManualClock(unix_ns=0x0123456789AB * MS)
    made = source(clock=clock).intent_id()
    assert len(made) == 16
    assert unix_ms_of(made) == 0x0123456789AB
    assert made[6] >> 4 == 7
    assert made[8] >> 6 == 0b10


def test_ids_are_repeatable_from_a_seed():
    assert [source(5).uuid7() for _ in range(2)] == [source(5).uuid7() for _ in range(2)]
    assert source(5).uuid7() != source(6).uuid7()


def test_ids_increase_in_one_millisecond_and_when_the_clock_steps_back():
    clock = ManualClock()
    ids = source(clock=clock)
    made = [ids.uuid7() for _ in range(10_000)]
    clock.step_unix(-3_600_000 * MS)
    made += [ids.uuid7() for _ in range(10)]
    clock.step_unix(7_200_000 * MS)
    made.append(ids.uuid7())
    assert made == sorted(set(made))


def test_system_randomness_differs():
    rng = SystemRng()
    assert rng.randbytes(32) != rng.randbytes(32)


def test_a_manual_clock_stands_still_and_moves_all_three_readings():
    clock = ManualClock(unix_ns=1, boottime_ns=2, monotonic_ns=3)
    clock.advance(10)
    assert (clock.unix_ns(), clock.boottime_ns(), clock.monotonic_ns()) == (11, 12, 13)
    clock.step_unix(-5)
    assert (clock.unix_ns(), clock.boottime_ns()) == (6, 12)
    with pytest.raises(AssertionError, match="backwards"):
        clock.advance(-1)


async def test_sleepers_wake_in_order_when_the_clock_reaches_them():
    clock = ManualClock(boottime_ns=0)
    woken = []

    async def sleeper(name, at_ns):
        await clock.sleep_until(at_ns)
        woken.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name, at_ns in (("late", 30), ("early", 10), ("at once", 0), ("never", 99)):
            task = tasks.create_task(sleeper(name, at_ns))
        while clock.sleepers < 3:
            await asyncio.sleep(0)
        clock.advance(30)
        while len(woken) < 3:
            await asyncio.sleep(0)
        task.cancel()
    assert woken == ["at once", "early", "late"]


async def test_the_system_clock_never_wakes_early():
    clock = SystemClock()
    until_ns = clock.boottime_ns() + 2 * MS
    await clock.sleep_until(until_ns)
    assert clock.boottime_ns() >= until_ns
    assert clock.monotonic_ns() > 0
    assert clock.unix_ns() > 1_600_000_000 * 1_000 * MS
