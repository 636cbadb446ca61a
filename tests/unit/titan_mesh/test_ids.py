"""Ids: UUIDv7 from an injected clock, repeatable, strictly increasing."""

from __future__ import annotations

from titan_mesh.clock import ManualClock
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
