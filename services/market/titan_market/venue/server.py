"""The venue's Unix socket: frames in, frames out, everything logged before it is said.

Owns connections, framing, back-pressure and delayed answers. Must never decide about an order.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from google.protobuf.message import DecodeError
from titan.venue.v1 import venue_pb2
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_market.venue import answers
from titan_market.venue.engine import Outgoing, VenueEngine
from titan_market.venue.limits import (
    FEED_PAUSE_BYTES,
    MAX_CONNECTIONS,
    MAX_DELAYED_EVENTS,
    MAX_FRAME_BYTES,
    MAX_UNSENT_BYTES,
)
from titan_market.venue.moments import Moment
from titan_market.venue.orderlog import OrderLog

MAX_SOCKET_PATH = 107
_FEED = venue_pb2.CONNECTION_ROLE_FEED
_NS = 1_000_000_000


class _Connection(asyncio.Protocol):
    """One peer: bytes to requests, events to bytes."""

    def __init__(self, server: VenueServer, number: int) -> None:
        self.number = number
        self.feed_events = 0
        self.feed_acked = 0
        self.congested = False
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._input = bytearray()
        self._sequence = 0
        self._delayed: list[tuple[int, int, venue_pb2.VenueEvent]] = []
        self._delayed_count = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The peer is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=FEED_PAUSE_BYTES)
        if not self._server.admit(self):
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone: what waited for it is lost, as on a real line."""
        if self._timer is not None:
            self._timer.cancel()
        self._delayed.clear()
        self._transport = None
        self._server.forget(self)

    def pause_writing(self) -> None:
        """The peer reads too slowly; the feed is held until it caught up."""
        self.congested = True

    def resume_writing(self) -> None:
        """The peer caught up."""
        self.congested = False
        self._server.acknowledge_feeds()

    def data_received(self, data: bytes) -> None:
        """Every whole frame of what has arrived, then one write per peer."""
        self._input += data
        requests: list[venue_pb2.VenueRequest] = []
        at = 0
        while len(self._input) - at >= 4:
            length = int.from_bytes(self._input[at : at + 4], "little")
            if not 0 < length <= MAX_FRAME_BYTES:
                self._reject("FRAME_LENGTH", f"frame of {length} bytes, limit {MAX_FRAME_BYTES}")
                return
            if len(self._input) - at - 4 < length:
                break
            body = bytes(self._input[at + 4 : at + 4 + length])
            at += 4 + length
            try:
                requests.append(venue_pb2.VenueRequest.FromString(body))
            except DecodeError:
                self._server.take(self, requests)
                self._reject("REQUEST_MALFORMED", "the frame is no VenueRequest")
                return
        del self._input[:at]
        self._server.take(self, requests)

    def _reject(self, code: str, text: str) -> None:
        self.send([answers.refused(code, text)])
        self.close()

    def close(self) -> None:
        """Ends the connection after what was written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection now; what it did not read is lost."""
        if self._transport is not None:
            self._transport.abort()

    def send(self, events: Iterable[venue_pb2.VenueEvent]) -> None:
        """Numbers and writes events; a peer that leaves too much unread is closed."""
        if self._transport is None or self._transport.is_closing():
            return
        out = bytearray()
        for event in events:
            self._sequence += 1
            event.event_sequence = self._sequence
            body = event.SerializeToString()
            out += len(body).to_bytes(4, "little")
            out += body
        self._transport.write(out)
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self._transport.abort()

    def hold(self, event: venue_pb2.VenueEvent, due_ns: int, now_ns: int) -> None:
        """Keeps an event until it is due; equal dues leave in the order they came."""
        if len(self._delayed) >= MAX_DELAYED_EVENTS:
            self.close()
            return
        self._delayed_count += 1
        heapq.heappush(self._delayed, (due_ns, self._delayed_count, event))
        self._arm(now_ns)

    def _arm(self, now_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._delayed:
            wait = max(self._delayed[0][0] - now_ns, 0) / _NS
            self._timer = asyncio.get_running_loop().call_later(wait, self._release)

    def _release(self) -> None:
        now_ns = self._server.now().boottime_ns
        due: list[venue_pb2.VenueEvent] = []
        while self._delayed and self._delayed[0][0] <= now_ns:
            due.append(heapq.heappop(self._delayed)[2])
        self.send(due)
        self._arm(now_ns)


class VenueServer:
    """Serves one VenueEngine on one socket path."""

    def __init__(self, engine: VenueEngine, log: OrderLog, clock: Clock, path: Path) -> None:
        self._engine = engine
        self._log = log
        self._clock = clock
        self._path = path
        self._numbers = 0
        self._connections: dict[int, _Connection] = {}
        self._server: asyncio.AbstractServer | None = None
        self.failed: asyncio.Future[None]
        """Gets an exception when the venue can no longer be believed; set by start()."""

    @property
    def epoch(self) -> int:
        """Starts of this venue so far."""
        return self._engine.ledger.epoch

    @property
    def orders(self) -> int:
        """Order requests ever seen."""
        return len(self._engine.ledger.orders)

    def now(self) -> Moment:
        """Both clocks."""
        return Moment(self._clock.unix_ns(), self._clock.boottime_ns())

    async def start(self) -> None:
        """Opens the epoch, then the socket."""
        self.failed = asyncio.get_running_loop().create_future()
        claim_socket_path(self._path)
        self._engine.start(self.now())
        self._log.flush()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._accept, path=str(self._path))
        self._path.chmod(0o600)

    def _accept(self) -> _Connection:
        self._numbers += 1
        return _Connection(self, self._numbers)

    async def stop(self) -> None:
        """Closes every connection, the socket and the log."""
        self.failed.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections.values()):
            connection.close()
        if self._server is not None:
            await self._server.wait_closed()
        self._path.unlink(missing_ok=True)
        self._log.close()

    async def run(self, stop: asyncio.Event) -> None:
        """Until stop is set, or until the venue failed: then its fault is raised."""
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait((stopping, self.failed), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self.failed.done():
            self.failed.result()

    # ---- what connections call ---------------------------------------------------------------

    def admit(self, connection: _Connection) -> bool:
        """Takes a connection unless there are too many."""
        if len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._connections[connection.number] = connection
        return True

    def forget(self, connection: _Connection) -> None:
        """The connection ended; a slow one may have held the feed."""
        self._connections.pop(connection.number, None)
        self._engine.closed(connection.number)
        self.acknowledge_feeds()

    def take(self, connection: _Connection, requests: list[venue_pb2.VenueRequest]) -> None:
        """A batch of requests: decide all, write the log once, then answer."""
        if not requests or self.failed.done():
            return
        out: list[Outgoing] = []
        try:
            for request in requests:
                # Its own moment each: expiry is judged when the venue looks at the request.
                out.extend(self._engine.handle(connection.number, request, self.now()))
                if request.WhichOneof("body") == "market_event":
                    connection.feed_events += 1
            self._log.flush()
        except Exception as fault:
            # What is not in the log must never be answered, and the state in memory may be
            # ahead of the log: only a restart from the log is right.
            self.failed.set_exception(fault)
            for peer in list(self._connections.values()):
                peer.abort()
            return
        self._deliver(out, self.now())
        self.acknowledge_feeds()

    def _deliver(self, out: list[Outgoing], now: Moment) -> None:
        ready: dict[int, list[venue_pb2.VenueEvent]] = {}
        closing = []
        for item in out:
            connection = self._connections.get(item.connection)
            if connection is None:
                continue
            if item.event is None:
                closing.append(connection)
            elif item.due_boottime_ns > now.boottime_ns:
                connection.hold(item.event, item.due_boottime_ns, now.boottime_ns)
            else:
                ready.setdefault(item.connection, []).append(item.event)
        for number, events in ready.items():
            self._connections[number].send(events)
        for connection in closing:
            connection.abort()

    def acknowledge_feeds(self) -> None:
        """Tells feeds how far they are, unless a listener lags."""
        if any(c.congested for c in self._connections.values()):
            return
        for connection in self._connections.values():
            lag = connection.feed_events - connection.feed_acked
            if lag and self._engine.role(connection.number) == _FEED:
                connection.feed_acked = connection.feed_events
                ack = venue_pb2.FeedAck(events=connection.feed_events)
                connection.send([venue_pb2.VenueEvent(feed_ack=ack)])


def claim_socket_path(path: Path) -> None:
    """Makes the path free: a dead socket is removed, a living one is a coded error."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise TitanError(
            code="SOCKET_PATH_TOO_LONG",
            message="the venue's socket path is too long for the system",
            field="venue socket",
            value=str(path),
            limit=f"{MAX_SOCKET_PATH} bytes",
            hint="Use a shorter TITAN_HOME.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise TitanError(
        code="SOCKET_IN_USE",
        message="another venue listens on this socket",
        field="venue socket",
        value=str(path),
        limit="one venue per home",
        hint="Stop the other venue (titan down) or use another TITAN_HOME.",
    )
