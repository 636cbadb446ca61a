"""Clocks: the manual one stands still, the system one never wakes early."""

from __future__ import annotations

import asyncio

import pytest
from titan_mesh.clock import ManualClock, SystemClock

MS = 1_000_000


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
