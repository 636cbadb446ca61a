"""The feed's connection to the venue: a bounded window, reconnect with back-off.

Owns the socket, acknowledgements and the present books, with which a fresh connection starts.
Must never drop an event silently: what a broken connection lost is replaced by whole books.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from titan.venue.v1 import market_pb2, venue_pb2
from titan_book import BookSide, OrderBook, SequenceRule
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_market.events import Snapshot, TradePrint
from titan_market.feed.limits import (
    CLOSE_S,
    MAX_FRAME_BYTES,
    RECONNECT_FIRST_NS,
    RECONNECT_MAX_NS,
    RECONNECT_TRIES,
    SNAPSHOT_LEVELS,
    VENUE_WINDOW,
)
from titan_market.feed.source import FeedEvent

StampEvent = Callable[[FeedEvent], market_pb2.MarketEvent]


class Books:
    """The present book of every symbol played so far."""

    def __init__(self) -> None:
        self._books: dict[str, OrderBook] = {}
        self._latest: dict[str, Snapshot] = {}

    def take(self, event: FeedEvent) -> None:
        """Follows one event."""
        if isinstance(event, TradePrint):
            return
        book = self._books.setdefault(event.symbol, OrderBook(SequenceRule.CHAINED))
        if isinstance(event, Snapshot):
            book.apply_snapshot(event.update_id, event.bids, event.asks)
        else:
            book.apply_delta(0, event.update_id, event.prev_update_id, event.bids, event.asks)
        self._latest[event.symbol] = Snapshot(
            event.symbol, event.recorded_ns, event.venue_ns, event.update_id, [], []
        )

    def snapshots(self, levels: int) -> list[Snapshot]:
        """Whole books as of now, up to a number of levels a side."""
        return [
            replace(
                latest,
                update_id=self._books[symbol].last_update_id,
                bids=self._books[symbol].levels(BookSide.BID, levels),
                asks=self._books[symbol].levels(BookSide.ASK, levels),
            )
            for symbol, latest in self._latest.items()
        ]


class VenueLink:
    """Sends market events; `send` waits while the venue is behind."""

    def __init__(self, path: Path, books: Books, stamp: StampEvent, clock: Clock) -> None:
        self.reconnects = -1
        self.sent_events = 0
        self._path = path
        self._books = books
        self._stamp = stamp
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._progress = asyncio.Event()
        self._window_sent = 0
        self._window_acked = 0
        self._fault: TitanError | None = None

    async def send(self, events: list[FeedEvent]) -> None:
        """Hands events on, in order; survives a restart of the venue."""
        if self._writer is None:
            await self._connect()
        for event in events:
            self._books.take(event)
        if not await self._try_send(events):
            await self._connect()
        self.sent_events += len(events)

    async def close(self) -> None:
        """Waits, not for ever, until all is acknowledged or the venue is gone; then closes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._writer is not None and self._window_acked < self._window_sent:
                    await self._wait()
        await self._drop()

    async def _try_send(self, events: list[FeedEvent]) -> bool:
        """False when the connection broke before the venue could take them all."""
        for event in events:
            while self._writer is not None and (
                self._window_sent - self._window_acked >= VENUE_WINDOW
            ):
                await self._wait()
            if self._writer is None:
                return False
            self._write(venue_pb2.VenueRequest(market_event=self._stamp(event)))
            self._window_sent += 1
        try:
            if self._writer is not None:
                await self._writer.drain()
        except OSError:
            await self._drop()
        return self._writer is not None

    def _write(self, request: venue_pb2.VenueRequest) -> None:
        body = request.SerializeToString()
        if len(body) > MAX_FRAME_BYTES:
            raise TitanError(
                code="MARKET_EVENT_TOO_LARGE",
                message="a market event does not fit a frame of the venue socket",
                field="market_event",
                value=f"{len(body)} bytes",
                limit=f"{MAX_FRAME_BYTES} bytes",
                hint="Record fewer levels.",
            )
        if self._writer is not None:
            self._writer.write(len(body).to_bytes(4, "little") + body)

    async def _wait(self) -> None:
        """Until an acknowledgement, a refusal or the end of the connection."""
        self._progress.clear()
        await self._progress.wait()
        if self._fault is not None:
            raise self._fault

    # ---- connection ----------------------------------------------------------------------------

    async def _connect(self) -> None:
        """Opens the connection with bounded back-off and starts it with whole books."""
        await self._drop()
        back_off_ns = RECONNECT_FIRST_NS
        for _ in range(RECONNECT_TRIES):
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await self._clock.sleep_until(self._clock.boottime_ns() + back_off_ns)
                back_off_ns = min(back_off_ns * 2, RECONNECT_MAX_NS)
                continue
            self.reconnects += 1
            self._writer = writer
            self._window_sent = self._window_acked = 0
            self._reading = asyncio.create_task(self._read(reader))
            logon = venue_pb2.Logon(role=venue_pb2.CONNECTION_ROLE_FEED)
            self._write(venue_pb2.VenueRequest(request_id=1, logon=logon))
            if await self._try_send(list(self._books.snapshots(SNAPSHOT_LEVELS))):
                return
            await self._drop()
        raise TitanError(
            code="VENUE_UNREACHABLE",
            message="the venue's socket does not answer",
            field="venue socket",
            value=str(self._path),
            limit=f"{RECONNECT_TRIES} tries",
            hint="Start the venue (titan up) and look into its log.",
        )

    async def _drop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Counts acknowledgements until the connection ends."""
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4), "little")
                if length > MAX_FRAME_BYTES:
                    break
                event = venue_pb2.VenueEvent.FromString(await reader.readexactly(length))
                body = event.WhichOneof("body")
                if body == "feed_ack":
                    self._window_acked = event.feed_ack.events
                elif body == "request_refused":
                    refused = event.request_refused
                    self._fault = TitanError(
                        code="VENUE_REFUSED",
                        message=f"the venue refused market data: {refused.text}",
                        field="market_event",
                        value=refused.code,
                        limit="events that continue the venue's book",
                        hint="Check that venue and feed use the same instrument files.",
                    )
                self._progress.set()
        except (asyncio.IncompleteReadError, OSError):
            pass  # the venue ended; send() reconnects
        self._writer = None
        self._progress.set()
