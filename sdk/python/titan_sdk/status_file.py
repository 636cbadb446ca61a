"""run/<phase>.ready and run/<phase>.json: what supervisors and people may read of a running phase.

Owns the two files and the latency figures in them. Must never hold what the phase itself needs
again.
"""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

from titan_sdk.desk import Counts
from titan_sdk.orders import Stamps

MAX_SAMPLES = 4096


class Latencies:
    """Decision to promise, of the last MAX_SAMPLES accepted intents, ns."""

    def __init__(self) -> None:
        self._samples: deque[int] = deque(maxlen=MAX_SAMPLES)

    def add(self, stamps: Stamps) -> None:
        """Count one accepted intent."""
        if stamps.decided_ns and stamps.accepted_ns:
            self._samples.append(stamps.accepted_ns - stamps.decided_ns)

    def quantile_us(self, percent: int) -> int:
        """A percentile in us; 0 without samples."""
        ordered = sorted(self._samples)
        return ordered[(len(ordered) - 1) * percent // 100] // 1_000 if ordered else 0


class StatusFiles:
    """The files of one phase."""

    def __init__(self, run: Path, phase_id: str) -> None:
        run.mkdir(parents=True, exist_ok=True)
        self._ready = run / f"{phase_id}.ready"
        self._status = run / f"{phase_id}.json"
        self._ready.unlink(missing_ok=True)

    def ready(self, pid: int) -> None:
        """The phase is connected and listens."""
        self._ready.write_text(f"{pid}\n", encoding="utf-8")

    def gone(self) -> None:
        """The phase takes no more events."""
        self._ready.unlink(missing_ok=True)

    def write(self, state: str, counts: Counts, latencies: Latencies, **facts: object) -> None:
        """Replace the status at once."""
        status = {
            "state": state,
            "books": counts.books,
            "trades": counts.trades,
            "reports": counts.reports,
            "signals": counts.signals,
            "accepted": counts.accepted,
            "rejected": counts.rejected,
            "fills": counts.fills,
            "cancels": counts.cancels,
            "accept_us_p50": latencies.quantile_us(50),
            "accept_us_p99": latencies.quantile_us(99),
            **facts,
        }
        fresh = self._status.with_suffix(".json.new")
        fresh.write_text(json.dumps(status, sort_keys=True) + "\n", encoding="utf-8")
        fresh.replace(self._status)
