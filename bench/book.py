"""ns per L2 level: the compiled book in batches, one Python call per diff, and two plain dicts.

Owns no claim: it prints what this machine gives, best of some rounds.
Run: python bench/book.py [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from array import array
from collections.abc import Callable

from titan_book import OrderBook, SequenceRule

DIFFS, LEVELS, ROUNDS = 20_000, 20, 5
Diff = tuple[int, list[tuple[int, int]], list[tuple[int, int]]]


def make_diffs(rng: random.Random) -> list[Diff]:
    """A price that walks, ten changed levels a side near it, some far away."""
    mid, diffs = 600_000, []
    for update in range(DIFFS):
        mid += rng.randint(-3, 3)
        sides: list[list[tuple[int, int]]] = []
        for sign in (-1, 1):
            near = [mid + sign * (1 + int(rng.expovariate(0.1))) for _ in range(LEVELS // 2 - 1)]
            far = [mid + sign * rng.randint(2_000, 30_000)]
            sides.append([(ticks, rng.choice((0, 5, 50))) for ticks in near + far])
        # Whatever a walking price leaves behind on the wrong side is gone.
        sides[0] += [(mid + step, 0) for step in range(3)]
        sides[1] += [(mid - step, 0) for step in range(3)]
        diffs.append((update + 1, sides[0], sides[1]))
    return diffs


def best_ns(rounds: int, work: Callable[[], None], levels: int) -> float:
    """Best time of some rounds, per level."""
    best = None
    for _ in range(rounds):
        started = time.perf_counter_ns()
        work()
        spent = time.perf_counter_ns() - started
        best = spent if best is None else min(best, spent)
    return (best or 0) / levels


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    diffs = make_diffs(random.Random(1))
    levels = sum(len(bids) + len(asks) for _, bids, asks in diffs)
    headers, ticks, lots = array("q"), array("q"), array("q")
    for update, bids, asks in diffs:
        headers.extend([0, update, update - 1, 0, len(bids), len(asks)])
        for side in (bids, asks):
            ticks.extend(t for t, _ in side)
            lots.extend(n for _, n in side)
    applied = []

    def batch() -> None:
        book = OrderBook(SequenceRule.CHAINED)
        book.apply_snapshot(0, [], [])
        applied.append(book.apply_batch(headers, ticks, lots))

    def calls() -> None:
        book = OrderBook(SequenceRule.CHAINED)
        book.apply_snapshot(0, [], [])
        for update, bids, asks in diffs:
            book.apply_delta(0, update, update - 1, bids, asks)

    def dicts() -> None:
        bids_held: dict[int, int] = {}
        asks_held: dict[int, int] = {}
        for _, bids, asks in diffs:
            for held, changed in ((bids_held, bids), (asks_held, asks)):
                for price, size in changed:
                    if size:
                        held[price] = size
                    else:
                        held.pop(price, None)

    figures = {
        "batch_ns_per_level": round(best_ns(ROUNDS, batch, levels), 1),
        "python_call_ns_per_level": round(best_ns(ROUNDS, calls, levels), 1),
        "dict_ns_per_level": round(best_ns(1, dicts, levels), 1),
        "levels": levels,
        "applied": applied[-1],
    }
    if min(applied) < DIFFS * 9 // 10:
        print(f"only {min(applied)} of {DIFFS} diffs applied", file=sys.stderr)
        return 1
    for name, value in figures.items():
        print(f"{name:28} {value}")
    if options.json:
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
