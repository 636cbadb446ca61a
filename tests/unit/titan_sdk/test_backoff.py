"""Reconnect delays: 1 s doubling to 30 s, shortened by at most half."""

from random import Random

from titan_sdk.backoff import Backoff

_MS = 1_000_000


def test_delays_double_to_the_bound_and_start_over() -> None:
    backoff = Backoff(1_000, 30_000, Random(3))
    bounds = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
    for _ in range(2):
        for bound in bounds:
            assert bound * _MS // 2 <= backoff.next_ns() <= bound * _MS
        backoff.reset()


def test_two_clients_do_not_march_in_step() -> None:
    one, other = Backoff(1_000, 30_000, Random(1)), Backoff(1_000, 30_000, Random(2))
    assert [one.next_ns() for _ in range(5)] != [other.next_ns() for _ in range(5)]
