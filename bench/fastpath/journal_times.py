"""Times of the journal alone, beside one bare pwrite and fdatasync, interleaved.

Called from Python: each append carries about 100 ns of call that the engine does not pay.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from titan_execution.core.journal import Journal

BODY = bytes(range(256)) + bytes(64)
GROUPS = (1, 64, 256)
ROUNDS = 40


def _group_us(journal: Journal, group: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(group):
        journal.append(2, BODY)
    journal.commit()
    return (time.perf_counter_ns() - start) / 1000


def _raw_us(fd: int, at: int) -> float:
    start = time.perf_counter_ns()
    os.pwrite(fd, BODY, at)
    os.fdatasync(fd)
    return (time.perf_counter_ns() - start) / 1000


def measure(folder: Path) -> dict[str, float]:
    """Medians in microseconds per group of records, and per single raw write."""
    samples: dict[str, list[float]] = {}
    fd = os.open(folder / "raw", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, bytes(len(BODY) * ROUNDS))
    os.fsync(fd)
    with (
        Journal(folder / "process", "bench") as process,
        Journal(folder / "power", "bench", durability="power") as power,
    ):
        for number in range(ROUNDS):
            samples.setdefault("raw_pwrite_fdatasync_us", []).append(
                _raw_us(fd, number * len(BODY))
            )
            for name, journal in (("process", process), ("power", power)):
                for group in GROUPS:
                    took = _group_us(journal, group)
                    samples.setdefault(f"{name}_group_{group}_us", []).append(took)
    os.close(fd)
    return {name: round(statistics.median(values), 2) for name, values in samples.items()}
