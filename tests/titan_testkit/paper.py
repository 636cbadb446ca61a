"""The paper venue from outside: a market that a test moves, fault knobs, the witness of orders.

Owns the feed's and the admin's side of the venue socket. Must never know Execution.
"""

from __future__ import annotations

import socket
from pathlib import Path

from titan.venue.v1 import order_log_pb2, venue_pb2
from titan_market.venue.orderlog import read_entries
from titan_mesh.clock import SystemClock

SYMBOL = "BTCUSDT"
BID_TICKS, ASK_TICKS = 600_000, 600_001
LEVELS = 5
LEVEL_LOTS = 500
TIMEOUT_S = 5.0
Entry = order_log_pb2.OrderLogEntry


class VenueSocket:
    """One connection, asked and answered in turn."""

    def __init__(self, path: Path, role: venue_pb2.ConnectionRole.ValueType) -> None:
        self._requests = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT_S)
        self._socket.connect(str(path))
        self.ask("logon_accepted", logon=venue_pb2.Logon(role=role))

    def ask(self, answer: str, **body: object) -> venue_pb2.VenueEvent:
        """Sends one request and reads up to the answer of that kind."""
        self._requests += 1
        request = venue_pb2.VenueRequest(request_id=self._requests, **body)  # type: ignore[arg-type]
        data = request.SerializeToString()
        self._socket.sendall(len(data).to_bytes(4, "little") + data)
        while True:
            size = int.from_bytes(self._read(4), "little")
            event = venue_pb2.VenueEvent.FromString(self._read(size))
            if event.WhichOneof("body") == answer:
                return event
            assert event.WhichOneof("body") != "request_refused", event

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionResetError("the venue closed")
            data += more
        return data


class PaperMarket:
    """One symbol's book, as flat and as deep as a test needs it."""

    def __init__(self, socket_path: Path, order_log: Path) -> None:
        self._path = socket_path
        self._order_log = order_log
        self._clock = SystemClock()
        self._feed: VenueSocket | None = None
        self.update_id = 1_000

    def quote(self, bid_ticks: int = BID_TICKS, ask_ticks: int = ASK_TICKS) -> int:
        """Puts a fresh book of five levels a side; returns its update id once the venue has it."""
        self.update_id += 1
        event = {
            "symbol": SYMBOL,
            "event_time_ns": self._clock.unix_ns(),
            "recorded_ns": self._clock.unix_ns(),
            "event_boottime_ns": self._clock.boottime_ns(),
            "book_snapshot": {
                "update_id": self.update_id,
                "bid_price_ticks": [bid_ticks - i for i in range(LEVELS)],
                "bid_qty_lots": [LEVEL_LOTS] * LEVELS,
                "ask_price_ticks": [ask_ticks + i for i in range(LEVELS)],
                "ask_qty_lots": [LEVEL_LOTS] * LEVELS,
            },
        }
        try:
            self._fed().ask("feed_ack", market_event=event)
        except OSError:
            # The venue was restarted since: one fresh connection, and no more.
            self._feed = None
            self._fed().ask("feed_ack", market_event=event)
        return self.update_id

    def faults(self, **knobs: object) -> None:
        """Sets the venue's fault knobs."""
        admin = VenueSocket(self._path, venue_pb2.CONNECTION_ROLE_ADMIN)
        admin.ask("query_end", set_faults=venue_pb2.SetFaults(**knobs))  # type: ignore[arg-type]
        admin.close()

    def log(self) -> list[Entry]:
        """The venue's own order log."""
        return [entry for entry, _ in read_entries(self._order_log.read_bytes())]

    def requests_of(self, client_order_id: str) -> list[Entry]:
        """Order requests that reached the venue under an id, duplicates included."""
        kinds = (order_log_pb2.ORDER_LOG_KIND_ACCEPTED, order_log_pb2.ORDER_LOG_KIND_REJECTED)
        return [
            entry
            for entry in self.log()
            if entry.client_order_id == client_order_id and entry.kind in kinds
        ]

    def filled_lots(self, client_order_id: str) -> int:
        """What the venue filled of an order."""
        return sum(
            entry.trade.qty_lots
            for entry in self.log()
            if entry.client_order_id == client_order_id
            and entry.kind == order_log_pb2.ORDER_LOG_KIND_TRADE
        )

    def close(self) -> None:
        """Ends the feed."""
        if self._feed is not None:
            self._feed.close()

    def _fed(self) -> VenueSocket:
        if self._feed is None:
            self._feed = VenueSocket(self._path, venue_pb2.CONNECTION_ROLE_FEED)
        return self._feed
