"""The feed's end of the bus: publish ahead of acknowledgements, watch the slowest reader.

Owns what happens when the bus is slow or gone: market data is dropped and counted, for the venue
must go on without it. Must never make the venue's side of the feed wait long.
"""

from __future__ import annotations

from titan import topology
from titan.marketdata.v1 import market_data_pb2
from titan_mesh.bus.connection import Bus
from titan_mesh.bus.publisher import Window
from titan_mesh.clock import Clock
from titan_mesh.errors import BusError, Unavailable

from titan_market.feed.limits import (
    BUS_TIMEOUT_S,
    BUS_WINDOW,
    MAX_CONSUMER_WAIT_NS,
    MAX_CONSUMERS,
)
from titan_market.feed.stamps import BusMessage

_STREAM = topology.BOOK_UPDATE.stream.name


class BusLink:
    """Publishes market data; never raises because of the bus."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self.dropped = 0
        self._bus = bus
        self._clock = clock
        self._window = Window(bus, max_in_flight=BUS_WINDOW, timeout_s=BUS_TIMEOUT_S)
        self._tag = 0
        self._seen: dict[str, tuple[int, int]] = {}

    async def publish(self, message: BusMessage) -> None:
        """One event; dropped and counted while the bus does not take it."""
        if not self._bus.connected:
            self.dropped += 1
            return
        self._tag += 1
        try:
            if isinstance(message, market_data_pb2.BookUpdate):
                await self._window.publish(topology.BOOK_UPDATE, message, tag=self._tag)
            else:
                await self._window.publish(topology.TRADE_PRINT, message, tag=self._tag)
        except (Unavailable, BusError) as fault:
            self.dropped += 1
            self._bus.log.warn("market_data_dropped", dropped=self.dropped, fault=str(fault))

    async def pending(self) -> int:
        """How far the slowest live reader is behind; readers that stand still do not count."""
        if not self._bus.connected:
            return 0
        try:
            answer = await self._bus.api(f"CONSUMER.LIST.{_STREAM}", {"offset": 0})
        except Unavailable:
            return 0
        now_ns = self._clock.boottime_ns()
        listed = answer.get("consumers") or []
        seen, slowest = {}, 0
        for consumer in listed[:MAX_CONSUMERS]:
            name, at = consumer["name"], int(consumer["delivered"]["consumer_seq"])
            before, since_ns = self._seen.get(name, (-1, now_ns))
            seen[name] = (at, now_ns if at != before else since_ns)
            behind = int(consumer["num_pending"])
            if behind and now_ns - seen[name][1] <= MAX_CONSUMER_WAIT_NS:
                slowest = max(slowest, behind)
        self._seen = seen
        return slowest

    async def close(self) -> None:
        """Waits for what is on its way, then closes the connection."""
        try:
            await self._window.flush()
        except (Unavailable, BusError) as fault:
            self._bus.log.warn("market_data_dropped", fault=str(fault))
        await self._bus.close()
