"""Verdicts on the bus: telemetry, bounded, drops counted.

Owns their subject and pace. Must never slow an order down or retry for ever: what is lost is
counted.
"""

from __future__ import annotations

import asyncio

from titan import topology
from titan.execution.v1 import prepare_verdict_pb2
from titan_mesh.bus.connection import Bus
from titan_mesh.bus.publisher import Window, headers_of, subject_of
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.telemetry.logs import Log

from titan_execution.gateway.door import Door

PAUSE_NS = 5_000_000
"""Verdicts are gathered this long, so that they never compete with reports for the event loop."""


class VerdictPublisher:
    """Publishes what the gate found."""

    def __init__(self, account: str, bus: Bus, clock: Clock, log: Log) -> None:
        self._account = account
        self._bus = bus
        self._clock = clock
        self._log = log
        self.lost = 0

    async def run(self, door: Door, stop: asyncio.Event) -> None:
        """Publishes until stop."""
        while not stop.is_set():
            await self._clock.sleep_until(self._clock.boottime_ns() + PAUSE_NS)
            if door.verdicts:
                await self._publish(door)

    async def _publish(self, door: Door) -> None:
        window = Window(self._bus)
        taken = 0
        try:
            while door.verdicts:
                await self._send(window, door.verdicts.popleft())
                taken += 1
            await window.flush()
        except TitanError as fault:
            self.lost += taken
            self._log.warn("verdicts_lost", lost=self.lost, fault=fault)

    async def _send(self, window: Window, body: bytes) -> None:
        verdict = prepare_verdict_pb2.PrepareVerdict.FromString(body)
        event = topology.PREPARE_VERDICT
        msg_id = f"{self._account}:{verdict.epoch}:v{verdict.verdict_sequence}"
        try:
            subject = subject_of(event, verdict)
        except TitanError as fault:
            self._log.warn("verdict_unroutable", fault=fault)
            return
        await window.send(
            subject, body, tag=verdict.verdict_sequence, headers=headers_of(event, msg_id)
        )
