"""Latency and faults of the paper venue.

Owns the knobs and the seeded jitter. Must never lose an order: faults touch answers, not the log.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from titan.venue.v1 import venue_pb2

MAX_DELAY_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Delay of order answers: fixed part plus uniform jitter."""

    ack_delay_ns: int = 0
    ack_jitter_ns: int = 0


class Faults:
    """State of the knobs; counters fall as they are used."""

    def __init__(self, latency: LatencyModel, rng: random.Random) -> None:
        self._rng = rng
        self._jitter_ns = latency.ack_jitter_ns
        self.ack_delay_ns = latency.ack_delay_ns
        self.drop_replies = 0
        self.reject_next = 0
        self.fail_queries = 0
        self.visibility_lag_ns = 0

    def set(self, knobs: venue_pb2.SetFaults) -> str:
        """Takes all knobs; answers what is out of range, empty when nothing is."""
        for name in ("ack_delay_ns", "visibility_lag_ns"):
            if not 0 <= getattr(knobs, name) <= MAX_DELAY_NS:
                return f"{name} {getattr(knobs, name)} is not in 0..{MAX_DELAY_NS}"
        self.ack_delay_ns = knobs.ack_delay_ns
        self.drop_replies = knobs.drop_replies
        self.reject_next = knobs.reject_next
        self.fail_queries = knobs.fail_queries
        self.visibility_lag_ns = knobs.visibility_lag_ns
        return ""

    def answer_delay_ns(self) -> int:
        """Delay of the next order answer."""
        jitter = self._rng.randrange(self._jitter_ns + 1) if self._jitter_ns else 0
        return self.ack_delay_ns + jitter

    def use(self, knob: str) -> bool:
        """Uses one of a counting knob."""
        left: int = getattr(self, knob)
        if left <= 0:
            return False
        setattr(self, knob, left - 1)
        return True
