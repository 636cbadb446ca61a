"""The ring between two threads: order, bounds, wake-ups."""

import select
import threading
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from titan_execution.core.ring import Ring
from titan_mesh.errors import TitanError


def drain(ring: Ring):
    got = []
    while batch := ring.get():
        got += batch
    return got


def test_what_goes_in_comes_out_in_order():
    ring = Ring(4096)
    sent = [(i % 256, bytes([i % 256]) * (i % 50)) for i in range(40)]
    assert all(ring.put(kind, body) for kind, body in sent)
    assert drain(ring) == sent
    assert ring.get() == []


def test_full_is_said_and_counted_and_nothing_is_lost():
    ring = Ring(4096)
    taken = 0
    while ring.put(1, taken.to_bytes(100, "little")):
        taken += 1
    assert taken == 4096 // 112
    assert ring.refused == 1
    assert [int.from_bytes(body, "little") for _, body in drain(ring)] == list(range(taken))
    assert ring.put(1, b"again")


@pytest.mark.parametrize("size", [2041, 131_073])
def test_a_record_that_never_fits_is_refused(size):
    ring = Ring(4096)
    with pytest.raises(TitanError, match="RING_RECORD_OVERSIZE"):
        ring.put(1, bytes(size))
    assert ring.put(1, bytes(2040))


@pytest.mark.parametrize("capacity", [0, 2048, 5000, 2**31])
def test_capacities(capacity):
    with pytest.raises(TitanError, match="RING_CAPACITY"):
        Ring(capacity)


@settings(max_examples=200)
@given(st.lists(st.one_of(st.integers(0, 2040), st.none()), max_size=200))
def test_like_a_deque_of_bounded_bytes(steps):
    ring, twin = Ring(4096), deque()
    for number, step in enumerate(steps):
        if step is None:
            assert ring.get(1) == ([twin.popleft()] if twin else [])
        elif ring.put(number % 256, number.to_bytes(2, "little") * (step // 2)):
            twin.append((number % 256, number.to_bytes(2, "little") * (step // 2)))
        else:
            assert twin, "an empty ring takes any record that fits"
    assert drain(ring) == list(twin)


def test_a_sleeping_consumer_is_woken_once_and_misses_nothing():
    ring, count = Ring(65_536), 20_000
    seen: list[int] = []

    def consume():
        waiting = select.poll()
        waiting.register(ring.fileno(), select.POLLIN)
        while len(seen) < count:
            batch = ring.get()
            seen.extend(int.from_bytes(body, "little") for _, body in batch)
            if not batch and len(seen) < count:
                assert waiting.poll(10_000), "armed, and nobody woke us"

    consumer = threading.Thread(target=consume)
    consumer.start()
    space = threading.Event()
    for number in range(count):
        while not ring.put(1, number.to_bytes(4, "little")):
            space.wait(0.0001)
    consumer.join(20)
    assert seen == list(range(count))


def test_no_wake_up_without_a_sleeper():
    ring = Ring(4096)
    ring.put(1, b"a")
    assert select.select([ring.fileno()], [], [], 0)[0] == []
    assert drain(ring) == [(1, b"a")]
    ring.put(1, b"b")
    assert select.select([ring.fileno()], [], [], 0)[0] == [ring.fileno()]
    assert ring.get() == [(1, b"b")]
    assert select.select([ring.fileno()], [], [], 0)[0] == []
