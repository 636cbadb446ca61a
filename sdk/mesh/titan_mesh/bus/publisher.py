"""Publishing: one event with its acknowledgement, or many through a bounded window.

Owns headers, the wait for acknowledgements and the window. Must never retry by itself: an
unanswered publish may have happened, and only the caller can say it again under the same id.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import nats.errors
from nats.js.api import PubAck
from opentelemetry.trace import SpanKind
from titan.topology_types import Event, TopologyError

from titan_mesh.bus import headers as names
from titan_mesh.bus import limits
from titan_mesh.bus.connection import Bus, refused
from titan_mesh.errors import BusError, InvalidMessage
from titan_mesh.telemetry import tracing

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Published:
    """Where a message was stored; `duplicate` when the server knew its id."""

    stream: str
    sequence: int
    duplicate: bool


def subject_of(event: Event[M], message: M) -> str:
    """The subject of a message, or InvalidMessage for a key that is no token."""
    try:
        return event.subject(message)
    except TopologyError as fault:
        raise _unroutable(fault) from None


def subject_for(event: Event[M], **keys: str | int) -> str:
    """The one subject that a whole set of keys names."""
    try:
        subject = event.filter(**keys)
    except TopologyError as fault:
        raise _unroutable(fault) from None
    if len(keys) != len(event.keys):
        wanted = ", ".join(key.field for key in event.keys)
        raise InvalidMessage(
            "SUBJECT_OPEN", f"{event.full_name} needs all its keys", "keys", ", ".join(keys), wanted
        )
    return subject


def _unroutable(fault: TopologyError) -> InvalidMessage:
    return InvalidMessage(
        fault.code, f"{fault.event} has no subject", fault.field, fault.value, "a subject token"
    )


def headers_of(
    event: Event[M], msg_id: str = "", extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Headers of a message: the event's name, its id, the current trace, and the caller's own."""
    found = {names.EVENT: event.full_name, **(extra or {})}
    if msg_id:
        found[names.MSG_ID] = msg_id
    tracing.inject(found)
    return found


class Publisher:
    """Publishes one event at a time and waits until it is stored."""

    def __init__(self, bus: Bus, timeout_s: float = limits.PUBLISH_TIMEOUT_S) -> None:
        self._bus = bus
        self._timeout_s = timeout_s

    async def publish(
        self,
        event: Event[M],
        message: M,
        *,
        msg_id: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Published:
        """Store one event; BUS_TIMEOUT means unknown, repeat under the same msg_id."""
        subject = subject_of(event, message)
        with tracing.span(f"publish {event.full_name}", SpanKind.PRODUCER) as span:
            if span.is_recording():
                span.set_attributes(tracing.attributes_of(event.full_name, message))
            try:
                ack = await self._bus.js.publish(
                    subject,
                    event.encode(message),
                    timeout=self._timeout_s,
                    headers=headers_of(event, msg_id, headers),
                )
            except (nats.errors.Error, TimeoutError, OSError) as fault:
                raise refused(fault, event.full_name) from None
        return Published(ack.stream, ack.seq, bool(ack.duplicate))


class Window:
    """Publishes ahead of the acknowledgements, at most `max_in_flight` of them.

    Every message has a tag that grows (an LSN, a counter). `acked` is the largest tag up to which
    everything is stored. After a failure the window is empty again and the caller repeats from
    `acked + 1` with the same bytes and ids.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        acked: int = 0,
        max_in_flight: int = limits.MAX_IN_FLIGHT,
        timeout_s: float = limits.PUBLISH_TIMEOUT_S,
    ) -> None:
        self._bus = bus
        self._acked = acked
        self._max = max_in_flight
        self._timeout_s = timeout_s
        self._flying: deque[tuple[int, float, asyncio.Future[PubAck]]] = deque()

    @property
    def acked(self) -> int:
        """Largest tag up to which every message is stored."""
        return self._acked

    @property
    def in_flight(self) -> int:
        """Messages that are not acknowledged yet."""
        return len(self._flying)

    async def publish(
        self,
        event: Event[M],
        message: M,
        *,
        tag: int,
        msg_id: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send one event; waits only while the window is full."""
        await self.send(
            subject_of(event, message),
            event.encode(message),
            tag=tag,
            headers=headers_of(event, msg_id, headers),
        )

    async def send(
        self, subject: str, payload: bytes, *, tag: int, headers: Mapping[str, str]
    ) -> None:
        """Send bytes as they are; the subject comes from subject_for or subject_of."""
        self._collect()
        while len(self._flying) >= self._max:
            await self._wait_oldest()
        try:
            future = await self._bus.js.publish_async(
                subject, payload, wait_stall=self._timeout_s, headers=dict(headers)
            )
        except (nats.errors.Error, TimeoutError, OSError) as fault:
            self._fail(fault)
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        self._flying.append((tag, deadline_s, future))

    async def flush(self) -> int:
        """Wait until everything sent is stored; returns `acked`."""
        while self._flying:
            await self._wait_oldest()
        return self._acked

    async def _wait_oldest(self) -> None:
        _, deadline_s, future = self._flying[0]
        left_s = deadline_s - asyncio.get_running_loop().time()
        await asyncio.wait({future}, timeout=max(left_s, 0))
        if not future.done():
            self._fail(TimeoutError("publish"))
        self._collect()

    def _collect(self) -> None:
        """Move `acked` over everything that is stored, in order."""
        while self._flying and self._flying[0][2].done():
            tag, _, future = self._flying.popleft()
            fault = asyncio.CancelledError() if future.cancelled() else future.exception()
            if fault is not None:
                self._fail(fault)
            self._acked = max(self._acked, tag)

    def _fail(self, fault: BaseException) -> None:
        for _, _, future in self._flying:
            if not future.done():
                future.cancel()
            elif not future.cancelled():
                # Mark as seen: the first failure is the one that is reported.
                future.exception()
        self._flying.clear()
        if isinstance(fault, Exception):
            raise refused(fault, f"the message after tag {self._acked}") from None
        raise BusError("PUBLISH_CANCELLED", "the window was cancelled", "tag", self._acked)
