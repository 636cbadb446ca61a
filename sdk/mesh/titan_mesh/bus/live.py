"""Live subscriptions: ordered, not durable, for data that is worthless when old.

Owns the ephemeral consumer and its re-creation after gaps and server restarts. Must never
acknowledge or dead-letter: what does not decode is counted and dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from titan.topology_types import Event

from titan_mesh.bus import limits
from titan_mesh.bus.backoff import Patience
from titan_mesh.bus.connection import Bus, refused
from titan_mesh.bus.delivery import Delivery, Envelope, envelope_of, read
from titan_mesh.clock import Clock
from titan_mesh.errors import PoisonMessage, Unavailable

M = TypeVar("M")
Start = Literal["new", "last", "all"]
_NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class LiveCounts:
    """What a live subscription met."""

    received: int = 0
    dropped: int = 0
    resubscribed: int = 0
    pending: int = 0


class LiveSubscription(Generic[M]):
    """Messages of one event in stream order. Start: only new ones, the last per subject, or all."""

    def __init__(
        self,
        bus: Bus,
        event: Event[M],
        *,
        clock: Clock,
        start: Start = "new",
        keys: Mapping[str, str | int],
        give_up_s: float = limits.GIVE_UP_S,
    ) -> None:
        self._bus = bus
        self._event = event
        self._clock = clock
        self._start: Start = start
        self._filter = event.filter(**keys)
        self._stop = asyncio.Event()
        self._patience = Patience(clock, self._stop, give_up_s)
        self._pull: JetStreamContext.PullSubscription | None = None
        self._consumer = ""
        self._sequence = 0
        self._consumer_sequence = 0
        self._positioned = False
        self.counts = LiveCounts()

    async def open(self) -> None:
        """Create the consumer now, so that nothing after this call is missed."""
        while self._pull is None and not self._stop.is_set():
            await self._guarded(self._create)

    async def batches(self) -> AsyncIterator[list[Delivery[M]]]:
        """What arrived, in order, as it arrives; ends after stop()."""
        while not self._stop.is_set():
            if self._pull is None:
                await self._guarded(self._create)
                continue
            raw = await self._guarded(self._fetch)
            batch = self._ordered(raw or [])
            if batch:
                yield batch
        await self._drop()

    async def __aiter__(self) -> AsyncIterator[Delivery[M]]:
        """One message at a time."""
        async for batch in self.batches():
            for delivery in batch:
                yield delivery

    def stop(self) -> None:
        """End the iteration within FETCH_WAIT_S."""
        self._stop.set()

    async def _guarded(self, attempt: Any) -> Any:
        """The result of an attempt; None after a failure, which leads to a new consumer."""
        try:
            result = await attempt()
        except (nats.errors.Error, OSError, Unavailable) as fault:
            await self._drop()
            ours = fault if isinstance(fault, Unavailable) else refused(fault, self._filter)
            await self._patience.failed(ours)
            return None
        self._patience.succeeded()
        return result

    async def _create(self) -> None:
        stream = self._event.stream.name
        answer = await self._bus.api(f"CONSUMER.CREATE.{stream}", await self._request(stream))
        if "error" in answer:
            raise Unavailable(
                "CONSUMER_REFUSED",
                f"{stream}: {answer['error'].get('description', '')}",
                "bus",
                self._filter,
            )
        self._consumer = answer["name"]
        self._consumer_sequence = 0
        self._pull = await self._bus.js.pull_subscribe_bind(
            consumer=self._consumer, stream=stream, pending_msgs_limit=4 * limits.FETCH_BATCH
        )

    async def _request(self, stream: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "ack_policy": "none",
            "filter_subject": self._filter,
            "inactive_threshold": limits.EPHEMERAL_IDLE_S * _NS_PER_S,
            "mem_storage": True,
            "num_replicas": 1,
            "max_deliver": 1,
            **await self._position(stream),
        }
        return {"stream_name": stream, "config": config, "action": "create"}

    async def _position(self, stream: str) -> dict[str, Any]:
        """Where to start: as asked for at first, from then on right after what was seen."""
        info = await self._bus.api(f"STREAM.INFO.{stream}")
        if "error" in info:
            raise Unavailable("STREAM_MISSING", f"{stream} is not there", "bus", self._filter)
        last = int(info["state"]["last_seq"])
        if not self._positioned and self._start == "new":
            self._sequence = last
        elif last < self._sequence:
            # The stream was made anew and counts from one again.
            self._sequence = 0
        self.counts.resubscribed += self._positioned
        self._positioned = True
        if self._sequence:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self._sequence + 1}
        return {"deliver_policy": "last_per_subject" if self._start == "last" else "all"}

    async def _fetch(self) -> list[Msg]:
        assert self._pull is not None
        try:
            return await self._pull.fetch(limits.FETCH_BATCH, timeout=limits.FETCH_WAIT_S)
        except (nats.errors.TimeoutError, TimeoutError):
            await self._check_alive()
            return []

    async def _check_alive(self) -> None:
        """Silence may mean that the server forgot the consumer."""
        answer = await self._bus.api(f"CONSUMER.INFO.{self._event.stream.name}.{self._consumer}")
        if "error" in answer:
            raise Unavailable(
                "CONSUMER_GONE", "the server dropped the consumer", "bus", self._filter
            )

    def _ordered(self, raw: list[Msg]) -> list[Delivery[M]]:
        batch: list[Delivery[M]] = []
        for message in raw:
            envelope = envelope_of(message)
            if envelope.consumer_sequence != self._consumer_sequence + 1:
                # Something was lost on the way; a new consumer starts after what we have.
                self._pull = None
                break
            self._consumer_sequence = envelope.consumer_sequence
            self._sequence = envelope.sequence
            self.counts.pending = envelope.pending
            self._append(batch, envelope)
        return batch

    def _append(self, batch: list[Delivery[M]], envelope: Envelope) -> None:
        try:
            batch.append(read(self._event, envelope))
            self.counts.received += 1
        except PoisonMessage as fault:
            self.counts.dropped += 1
            self._bus.log.warn("live_dropped", subject=envelope.subject, fault=str(fault))

    async def _drop(self) -> None:
        """Forget the consumer; the server removes it after its idle time."""
        pull, self._pull = self._pull, None
        if pull is not None and self._bus.connected:
            try:
                await pull.unsubscribe()
            except (nats.errors.Error, OSError, ValueError):
                self._bus.log.debug("live_unsubscribe_failed", subject=self._filter)


async def subscribe_live(
    bus: Bus,
    event: Event[M],
    *,
    clock: Clock,
    start: Start = "new",
    **keys: str | int,
) -> LiveSubscription[M]:
    """An open live subscription; iterate over it or over its batches()."""
    subscription = LiveSubscription(bus, event, clock=clock, start=start, keys=keys)
    await subscription.open()
    return subscription
