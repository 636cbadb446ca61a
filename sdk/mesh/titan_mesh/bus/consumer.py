"""Durable consumers: decode, handle, then acknowledge, retry, bury or hold.

Owns what happens to a message that cannot be applied: telemetry goes to the dead letters, money is
never skipped. Must never create a consumer; the provisioner does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from opentelemetry.trace import SpanKind
from titan.topology_types import Consumer

from titan_mesh.bus import limits
from titan_mesh.bus.backoff import Patience, doubling_ms
from titan_mesh.bus.connection import Bus, refused
from titan_mesh.bus.dead_letter import Cause, DeadLetters
from titan_mesh.bus.delivery import UNDECODABLE, Delivery, Envelope, envelope_of, read
from titan_mesh.clock import Clock
from titan_mesh.errors import PoisonMessage, TitanError, Unavailable
from titan_mesh.telemetry import tracing

M = TypeVar("M")

Handler = Callable[[Delivery[M]], Awaitable[None]]
BatchHandler = Callable[[Sequence[Delivery[M]]], Awaitable[None]]
OnPoison = Callable[[Envelope, Exception], Awaitable[None]]

_MS_PER_S = 1000


@dataclass(slots=True)
class ConsumerCounts:
    """What a durable consumer met; the source of its metrics."""

    applied: int = 0
    retried: int = 0
    buried: int = 0
    poisoned: int = 0
    pending: int = 0


class DurableConsumer(Generic[M]):
    """One declared durable. The handler takes whole batches, in stream order."""

    def __init__(
        self,
        bus: Bus,
        consumer: Consumer[M],
        handler: BatchHandler[M],
        *,
        clock: Clock,
        dead_letters: DeadLetters | None = None,
        on_poison: OnPoison | None = None,
        batch: int = limits.FETCH_BATCH,
        give_up_s: float = limits.GIVE_UP_S,
    ) -> None:
        assert consumer.durable, "a live consumer is a LiveSubscription"
        assert (on_poison if consumer.is_money else dead_letters) is not None, (
            "the money class needs on_poison, telemetry needs dead_letters"
        )
        self._bus = bus
        self._consumer = consumer
        self._handler = handler
        self._dead_letters = dead_letters
        self._on_poison = on_poison
        self._batch = batch
        self._stop = asyncio.Event()
        self._patience = Patience(clock, self._stop, give_up_s)
        self._pull: JetStreamContext.PullSubscription | None = None
        self.counts = ConsumerCounts()

    def stop(self) -> None:
        """End run() after the batch in hand."""
        self._stop.set()

    async def run(self) -> None:
        """Consume until stop(); BUS_GONE when nothing succeeded for give_up_s."""
        while not self._stop.is_set():
            try:
                raw = await self._fetch()
                self._patience.succeeded()
                if raw:
                    await self._take(raw)
            except (nats.errors.Error, TimeoutError, OSError, Unavailable) as fault:
                # What was fetched and not acknowledged comes again.
                self._pull = None
                ours = fault if isinstance(fault, Unavailable) else refused(fault, self._name)
                self._bus.log.warn("consumer_waits", consumer=self._name, fault=str(ours))
                await self._patience.failed(ours)
        if self._pull is not None and self._bus.connected:
            await self._pull.unsubscribe()

    @property
    def _name(self) -> str:
        return self._consumer.durable

    async def _fetch(self) -> list[Msg]:
        if self._pull is None:
            self._pull = await self._bus.js.pull_subscribe_bind(
                durable=self._name, stream=self._consumer.event.stream.name
            )
        try:
            return await self._pull.fetch(self._batch, timeout=limits.FETCH_WAIT_S)
        except (nats.errors.TimeoutError, TimeoutError):
            if not self._bus.connected:
                raise Unavailable("BUS_UNAVAILABLE", "the connection is down", "bus") from None
            return []

    async def _take(self, raw: list[Msg]) -> None:
        """One batch: its good part goes to the handler, a bad message decides what follows it."""
        good: list[tuple[Msg, Delivery[M]]] = []
        for index, message in enumerate(raw):
            envelope = envelope_of(message)
            self.counts.pending = envelope.pending
            try:
                good.append((message, read(self._consumer.event, envelope)))
            except PoisonMessage as fault:
                if not self._consumer.is_money:
                    await self._bury(message, envelope, fault)
                    continue
                if await self._apply(good):
                    await self._hold(raw[index:], envelope, fault)
                else:
                    await self._return(raw[index:])
                return
        await self._apply(good)

    async def _apply(self, good: list[tuple[Msg, Delivery[M]]]) -> bool:
        """Hand a batch over; False when it went back to the server."""
        if not good:
            return True
        try:
            await self._handle([delivery for _, delivery in good])
        except Unavailable as fault:
            # A dependency of the handler, not the message: the same batch comes again.
            self._bus.log.warn("handler_waits", consumer=self._name, fault=str(fault))
            await self._return([message for message, _ in good])
            return False
        except Exception as fault:
            return await self._failed(good, fault)
        await self._acknowledge([message for message, _ in good])
        return True

    async def _handle(self, batch: Sequence[Delivery[M]]) -> None:
        """The handler under a span that continues the trace of the batch's first message."""
        first = tracing.extract(batch[0].envelope.headers)
        with tracing.span(f"consume {self._name}", SpanKind.CONSUMER, first):
            await self._handler(batch)

    async def _failed(self, good: list[tuple[Msg, Delivery[M]]], fault: Exception) -> bool:
        """A batch that failed is taken apart: one by one up to the message that is to blame."""
        if len(good) > 1:
            for index, one in enumerate(good):
                if not await self._apply([one]) and self._consumer.is_money:
                    await self._return([message for message, _ in good[index + 1 :]])
                    return False
            return True
        message, delivery = good[0]
        if self._consumer.is_money:
            await self._hold([message], delivery.envelope, fault)
        elif delivery.envelope.deliveries >= self._consumer.max_deliver:
            await self._bury(message, delivery.envelope, fault)
        else:
            self._bus.log.warn(
                "handler_failed",
                consumer=self._name,
                sequence=delivery.envelope.sequence,
                fault=repr(fault),
            )
            await self._return([message])
        return False

    async def _acknowledge(self, messages: list[Msg]) -> None:
        """All acknowledged; the last one with an answer, so that the others were seen too."""
        for message in messages[:-1]:
            await message.ack()
        await messages[-1].ack_sync(timeout=limits.API_TIMEOUT_S)
        self.counts.applied += len(messages)

    async def _return(self, messages: list[Msg]) -> None:
        """Back to the server, which delivers them again after the back-off."""
        for message in messages:
            delay_s = self._delay_ms(message.metadata.num_delivered or 1) / _MS_PER_S
            await message.nak(delay=delay_s)
        self.counts.retried += len(messages)

    def _delay_ms(self, deliveries: int) -> int:
        declared = self._consumer.back_off_ms
        if declared:
            return declared[min(deliveries, len(declared)) - 1]
        return doubling_ms(deliveries, limits.NAK_FIRST_MS, limits.NAK_MAX_MS)

    async def _hold(self, messages: list[Msg], envelope: Envelope, fault: Exception) -> None:
        """Money: nothing is skipped. The owner hears of it; all from here on comes again."""
        assert self._on_poison is not None
        self.counts.poisoned += 1
        self._bus.log.error(
            "money_poison",
            consumer=self._name,
            sequence=envelope.sequence,
            deliveries=envelope.deliveries,
            fault=str(fault) if isinstance(fault, TitanError) else repr(fault),
        )
        await self._on_poison(envelope, fault)
        await self._return(messages)

    async def _bury(self, message: Msg, envelope: Envelope, fault: Exception) -> None:
        """Telemetry: the letter is stored before the original is ended."""
        assert self._dead_letters is not None
        cause = Cause.DEAD_LETTER_CAUSE_HANDLER_FAILED
        if isinstance(fault, PoisonMessage):
            undecodable = fault.code == UNDECODABLE
            cause = (
                Cause.DEAD_LETTER_CAUSE_UNDECODABLE
                if undecodable
                else Cause.DEAD_LETTER_CAUSE_INVALID
            )
        await self._dead_letters.bury(self._consumer, envelope, cause, fault)
        await message.term()
        self.counts.buried += 1


def each(handler: Handler[M]) -> BatchHandler[M]:
    """A handler of single messages as a handler of batches."""

    async def handle(batch: Sequence[Delivery[M]]) -> None:
        for delivery in batch:
            await handler(delivery)

    return handle
