"""IntentSignals on the bus: telemetry beside the order path, never in it.

Owns a bounded queue and the task that empties it; what does not fit or is refused is counted and
dropped. Must never
delay an intent.
"""

from __future__ import annotations

import asyncio
from collections import deque

from titan_mesh.bus.connection import Bus
from titan_mesh.bus.publisher import Window, headers_of, subject_for
from titan_mesh.errors import BusError, Unavailable
from titan_mesh.telemetry.logs import Log

from titan_sdk._pb.topology import INTENT_SIGNAL

MAX_WAITING = 1024


class SignalPublisher:
    """Publishes the bytes that were logged and sent, unchanged."""

    def __init__(self, bus: Bus, phase_id: str, log: Log) -> None:
        self._window = Window(bus)
        self._phase_id = phase_id
        self._log = log
        self._waiting: deque[tuple[str, bytes, bytes]] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._tag = 0
        self.published = 0
        self.dropped = 0

    def offer(self, symbol: str, intent_id: bytes, payload: bytes) -> None:
        """Queue one; the strategy's thread calls it and never waits."""
        if len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append((symbol, intent_id, payload))
        self._wake.set()

    async def run(self) -> None:
        """Publish until stop(), then what is left."""
        while not self._stopping or self._waiting:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            symbol, intent_id, payload = self._waiting.popleft()
            try:
                await self._send(symbol, intent_id, payload)
            except (BusError, Unavailable) as fault:
                self.dropped += 1
                self._log.warn("signal_dropped", code=fault.code, dropped=self.dropped)
        try:
            await self._window.flush()
        except (BusError, Unavailable) as fault:
            self._log.warn("signals_unconfirmed", code=fault.code)

    async def _send(self, symbol: str, intent_id: bytes, payload: bytes) -> None:
        self._tag += 1
        await self._window.send(
            subject_for(INTENT_SIGNAL, phase_id=self._phase_id, symbol=symbol),
            payload,
            tag=self._tag,
            headers=headers_of(INTENT_SIGNAL, intent_id.hex()),
        )
        self.published += 1

    def stop(self) -> None:
        """End run() once the queue is empty."""
        self._stopping = True
        self._wake.set()
