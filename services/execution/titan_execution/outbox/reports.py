"""The outbox: journal records on the bus, the same bytes, in order, by LSN.

Owns how far the bus has acknowledged. Must never release, change or skip a record: the journal is
the truth, the bus is transport.
"""

from __future__ import annotations

import asyncio

import nats.errors
from nats.js.errors import NotFoundError
from titan import topology
from titan.execution.v1 import execution_report_pb2
from titan.risk.v1 import trading_state_pb2
from titan_mesh.bus import headers as names
from titan_mesh.bus.backoff import Patience
from titan_mesh.bus.connection import Bus, refused
from titan_mesh.bus.publisher import Window, subject_for
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.telemetry.logs import Log

from titan_execution.core.journal_reader import JournalTail
from titan_execution.gateway.door import Door

BATCH_RECORDS = 256
BATCH_BYTES = 1 << 20
PATIENCE_S = 86_400.0
"""A bus that is away this long is reported as gone; orders never wait for it."""
STATE_CHANGES = frozenset(
    {
        execution_report_pb2.RECORD_KIND_HALT,
        execution_report_pb2.RECORD_KIND_RESUME,
        execution_report_pb2.RECORD_KIND_TRADING_STATE,
    }
)
FLUSH_S = 2.0
"""What an orderly stop gives the last records to reach the bus."""


class ReportOutbox:
    """Tails the journal and publishes what the bus does not have."""

    def __init__(self, account: str, tail: JournalTail, bus: Bus, clock: Clock, log: Log) -> None:
        self._account = account
        self._tail = tail
        self._bus = bus
        self._clock = clock
        self._log = log
        self._subject = subject_for(topology.EXECUTION_REPORT, account=account)
        self.published_lsn = 0
        self._state = trading_state_pb2.TRADING_STATE_UNSPECIFIED

    async def run(self, door: Door, stop: asyncio.Event) -> None:
        """Publishes until stop; after a failure a longer wait, then the same bytes again."""
        patience = Patience(self._clock, stop, PATIENCE_S)
        while not stop.is_set():
            try:
                self.published_lsn = await self._bus_has()
                patience.succeeded()
                await self._publish_from(door, stop, patience)
            except TitanError as fault:
                self._log.warn("reports_delayed", published_lsn=self.published_lsn, fault=fault)
                await patience.failed(fault)

    async def flush(self) -> None:
        """Gives what is committed a last, bounded chance."""
        try:
            window = Window(self._bus, acked=self.published_lsn)
            await asyncio.wait_for(self._drain(window), FLUSH_S)
        except (TitanError, TimeoutError) as fault:
            self._log.warn("reports_left", published_lsn=self.published_lsn, fault=fault)

    async def _publish_from(self, door: Door, stop: asyncio.Event, patience: Patience) -> None:
        window = Window(self._bus, acked=self.published_lsn)
        news = door.subscribe()
        try:
            while not stop.is_set():
                if await self._drain(window):
                    patience.succeeded()
                await news.wait()
                news.clear()
        finally:
            door.unsubscribe(news)

    async def _drain(self, window: Window) -> int:
        """Sends every committed record that was not sent; how many."""
        next_lsn = window.acked + 1
        sent = 0
        try:
            while batch := self._tail.read(next_lsn, BATCH_RECORDS, BATCH_BYTES):
                for lsn, epoch, kind, body in batch:
                    if kind in STATE_CHANGES:
                        await self._announce(window, lsn, body)
                    await window.send(
                        self._subject, body, tag=lsn, headers=self._headers(lsn, epoch)
                    )
                    next_lsn = lsn + 1
                sent += len(batch)
                self.published_lsn = window.acked
            await window.flush()
        finally:
            self.published_lsn = window.acked
        return sent

    async def _announce(self, window: Window, lsn: int, body: bytes) -> None:
        """A change of the edge, for those who watch the breaker; just before its record."""
        report = execution_report_pb2.ExecutionReport.FromString(body)
        change = trading_state_pb2.TradingStateChanged(
            account=report.account,
            previous=self._state,
            state=report.state,
            cause=report.cause,
            halt_epoch=report.halt_epoch,
            operator_id=report.operator_id,
            text=report.text,
            changed_at_ns=report.recorded_at_ns,
            policy_hash=report.policy_hash,
        )
        self._state = report.state
        await window.publish(
            topology.TRADING_STATE_CHANGED,
            change,
            tag=lsn - 1,
            msg_id=f"{self._account}:edge:{lsn}",
        )

    def _headers(self, lsn: int, epoch: int) -> dict[str, str]:
        return {
            names.MSG_ID: f"{self._account}:{lsn}",
            names.EVENT: topology.EXECUTION_REPORT.full_name,
            names.LSN: str(lsn),
            names.EPOCH: str(epoch),
        }

    async def _bus_has(self) -> int:
        """LSN of the newest report in the stream; 0 when it has none of this account."""
        stream = topology.EXECUTION_REPORT.stream.name
        try:
            last = await self._bus.js.get_last_msg(stream, self._subject)
        except NotFoundError:
            return 0
        except (nats.errors.Error, TimeoutError, OSError) as fault:
            raise refused(fault, stream) from None
        lsn = int((last.headers or {}).get(names.LSN, "0"))
        if lsn > self._tail.committed_lsn:
            self._log.error("reports_ahead", stream_lsn=lsn, journal_lsn=self._tail.committed_lsn)
            return self._tail.committed_lsn
        return lsn
