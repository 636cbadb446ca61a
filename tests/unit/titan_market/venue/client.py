"""A plain client of the venue socket for tests."""

from __future__ import annotations

import asyncio
from pathlib import Path

from titan.venue.v1 import venue_pb2


class Client:
    """Sends requests, keeps events in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.requests = 0
        self.last_sequence = 0

    @classmethod
    async def open(cls, path: Path, role: str, account: str = "main", market_data: bool = False):
        client = cls(*await asyncio.open_unix_connection(str(path)))
        await client.send(logon={"role": role, "account": account, "market_data": market_data})
        event = await client.event()
        assert event.WhichOneof("body") == "logon_accepted", event
        return client

    async def send(self, **body) -> int:
        self.requests += 1
        request = venue_pb2.VenueRequest(request_id=self.requests, **body).SerializeToString()
        self.writer.write(len(request).to_bytes(4, "little") + request)
        await self.writer.drain()
        return self.requests

    async def event(self) -> venue_pb2.VenueEvent:
        length = int.from_bytes(await self.reader.readexactly(4), "little")
        event = venue_pb2.VenueEvent.FromString(await self.reader.readexactly(length))
        assert event.event_sequence == self.last_sequence + 1
        self.last_sequence = event.event_sequence
        return event

    async def until(self, body: str) -> venue_pb2.VenueEvent:
        """The next event of a kind; others are passed over."""
        while True:
            event = await self.event()
            if event.WhichOneof("body") == body:
                return event

    async def order(self, name: str, side: int, qty: int, price: int, tif: int = 1) -> int:
        return await self.send(
            submit_order={
                "client_order_id": name,
                "symbol": "BTCUSDT",
                "side": side,
                "order_type": 1,
                "time_in_force": tif,
                "qty_lots": qty,
                "price_ticks": price,
                "signed_boottime_ns": 1,
                "expires_boottime_ns": 2**62,
            }
        )

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


BOOK = {
    "symbol": "BTCUSDT",
    "event_time_ns": 5,
    "event_boottime_ns": 6,
    "book_snapshot": {
        "update_id": 100,
        "bid_price_ticks": [1_000, 999],
        "bid_qty_lots": [50, 70],
        "ask_price_ticks": [1_001, 1_002],
        "ask_qty_lots": [40, 60],
    },
}
