"""The feed's loop: take what is due, stamp it, hand it to the venue and to the bus.

Owns order and flow control. Must never know where events come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from titan_mesh.clock import Clock

from titan_market.events import TradePrint
from titan_market.feed.limits import (
    BATCH_EVENTS,
    BUS_SNAPSHOT_EVERY_NS,
    BUS_SNAPSHOT_LEVELS,
    CONSUMER_CHECK_EVERY_NS,
    MAX_CONSUMER_PENDING,
    MAX_CONSUMER_WAIT_NS,
    PROGRESS_EVERY_NS,
)
from titan_market.feed.pacing import Schedule
from titan_market.feed.progress import FeedProgress, write_progress
from titan_market.feed.source import FeedEvent
from titan_market.feed.stamps import BusMessage, bus_message, stamp_now
from titan_market.feed.venue_link import Books, VenueLink

_NS = 1_000_000_000
_MS = 1_000_000


class MarketBus(Protocol):
    """What the feed needs of the bus."""

    async def publish(self, message: BusMessage) -> None:
        """Publishes one event."""

    async def pending(self) -> int:
        """Messages that the slowest consumer of market data is behind."""


class Player:
    """Plays one stream of events to its end, or until it is stopped."""

    def __init__(
        self,
        *,
        clock: Clock,
        schedule: Schedule,
        link: VenueLink,
        books: Books,
        bus: MarketBus | None,
        progress: FeedProgress,
        progress_path: Path,
        venue: str,
        keep_skew: bool,
    ) -> None:
        self.progress = progress
        self._clock = clock
        self._schedule = schedule
        self._link = link
        self._books = books
        self._bus = bus
        self._progress_path = progress_path
        self._venue = venue
        self._keep_skew = keep_skew
        self._stopping = asyncio.Event()
        self._reported_ns = 0
        self._bus_books_ns = 0
        self._checked_ns = 0

    def stop(self) -> None:
        """Ends the play after the batch in hand."""
        self._stopping.set()

    async def play(self, events: Iterator[FeedEvent]) -> None:
        """Everything in order; returns when all is acknowledged or after stop()."""
        batch: list[FeedEvent] = []
        for event in events:
            wait = self._schedule.wait_ns(event.recorded_ns, self._clock.boottime_ns())
            if batch and (wait or len(batch) == BATCH_EVENTS):
                await self._hand_on(batch)
                batch = []
                wait = self._schedule.wait_ns(event.recorded_ns, self._clock.boottime_ns())
            if wait:
                await self._pause(wait)
            if self._stopping.is_set():
                break
            batch.append(event)
        if not self._stopping.is_set():
            await self._hand_on(batch)
        await self._link.close()
        self.progress.done = not self._stopping.is_set()
        self.report("stopped" if self._stopping.is_set() else "done")

    async def _pause(self, wait_ns: int) -> None:
        """Until the time is up or the feed is stopped."""
        timer = asyncio.ensure_future(self._clock.sleep_until(self._clock.boottime_ns() + wait_ns))
        stopped = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((timer, stopped), return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        stopped.cancel()

    async def _hand_on(self, batch: list[FeedEvent]) -> None:
        if not batch:
            return
        await self._link.send(batch)
        if self._bus is not None:
            await self._publish(self._bus, batch)
        progress = self.progress
        progress.events += len(batch)
        progress.trades += sum(isinstance(event, TradePrint) for event in batch)
        progress.market_seconds = (batch[-1].recorded_ns - self._schedule.first_ns) // _NS
        for event in batch:
            if event.symbol not in progress.symbols:
                progress.symbols.append(event.symbol)
        if self._clock.boottime_ns() - self._reported_ns >= PROGRESS_EVERY_NS:
            self.report("running")

    async def _publish(self, bus: MarketBus, batch: list[FeedEvent]) -> None:
        now_ns = self._clock.boottime_ns()
        for event in batch:
            await bus.publish(self._for_bus(event))
        if now_ns - self._bus_books_ns >= BUS_SNAPSHOT_EVERY_NS:
            self._bus_books_ns = now_ns
            for book in self._books.snapshots(BUS_SNAPSHOT_LEVELS):
                await bus.publish(self._for_bus(book))
        if now_ns - self._checked_ns >= CONSUMER_CHECK_EVERY_NS:
            self._checked_ns = now_ns
            await self._wait_for_consumers(bus, now_ns + MAX_CONSUMER_WAIT_NS)

    async def _wait_for_consumers(self, bus: MarketBus, until_ns: int) -> None:
        """Holds the feed while a consumer is far behind; a consumer that stopped reading is
        given up after a bound, for it will find whole books when it comes back."""
        while True:
            self.progress.consumer_pending = await bus.pending()
            behind = self.progress.consumer_pending > MAX_CONSUMER_PENDING
            if not behind or self._clock.boottime_ns() > until_ns or self._stopping.is_set():
                return
            await self._pause(CONSUMER_CHECK_EVERY_NS // 10)

    def _for_bus(self, event: FeedEvent) -> BusMessage:
        clock = self._clock
        stamp = stamp_now(event, clock.unix_ns(), clock.boottime_ns(), self._keep_skew)
        return bus_message(event, stamp, self._venue)

    def report(self, state: str, error: str = "") -> None:
        """Writes the progress file now."""
        progress = self.progress
        progress.state, progress.error = state, error
        progress.schedule_moved_ms = self._schedule.moved_ns // _MS
        progress.venue_reconnects = max(self._link.reconnects, 0)
        progress.updated_ns = self._clock.unix_ns()
        self._reported_ns = self._clock.boottime_ns()
        write_progress(self._progress_path, progress)
