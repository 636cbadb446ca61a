"""Samples of a running mesh for the report's curves. Must never fail a run: silence is a gap."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_cli.home.layout import Home
from titan_cli.operator.link import Link
from titan_cli.operator.status import state_name
from titan_cli.report.record import MidSample, TruthSample

SAMPLE_SECONDS = 0.1
MAX_SAMPLES = 20_000


@dataclass(slots=True)
class Samples:
    """What was seen, in order."""

    mids: dict[str, list[MidSample]] = field(default_factory=dict)
    truth: list[TruthSample] = field(default_factory=list)


class Watcher:
    """Looks at edge and Brain ten times a second."""

    def __init__(self, link: Link, clock: Clock) -> None:
        self.samples = Samples()
        self._link = link
        self._clock = clock

    async def run(self) -> None:
        """Samples until cancelled or full."""
        for _ in range(MAX_SAMPLES):
            with suppress(TitanError):
                await self._books()
            with suppress(TitanError):
                await self._score()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _books(self) -> None:
        state = await self._link.describe_state()
        at_ns = self._clock.unix_ns()
        for book in state.books:
            if book.bid_price_ticks and book.ask_price_ticks:
                mid = MidSample(at_ns, book.bid_price_ticks + book.ask_price_ticks)
                self.samples.mids.setdefault(book.symbol, []).append(mid)

    async def _score(self) -> None:
        truth = await self._link.get_truth()
        allocation = await self._link.get_allocation()
        sample = TruthSample(self._clock.unix_ns(), truth.truth.score, state_name(allocation.state))
        self.samples.truth.append(sample)


def feed_progress(home: Home) -> dict[str, Any]:
    """What the feed last wrote of itself; empty when there is nothing yet."""
    try:
        found = json.loads((home.run / "feed.json").read_text())
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}
