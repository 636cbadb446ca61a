"""Durable consumers against a real nats-server: what happens to what cannot be applied."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest
from titan.dlq.v1.dead_letter_pb2 import DeadLetterCause
from titan.execution.v1.execution_report_pb2 import ExecutionReport
from titan.execution.v1.prepare_verdict_pb2 import PrepareVerdict
from titan.topology import (
    BRAIN_ON_EXECUTION_REPORT,
    BRAIN_ON_PREPARE_VERDICT,
    DEAD_LETTER,
    EXECUTION_REPORT,
    PREPARE_VERDICT,
)
from titan_mesh.bus import headers as names
from titan_mesh.bus.consumer import DurableConsumer, each
from titan_mesh.bus.dead_letter import DeadLetters, redacted
from titan_mesh.bus.delivery import Delivery
from titan_mesh.bus.live import subscribe_live
from titan_mesh.bus.publisher import Publisher, subject_for
from titan_mesh.clock import SystemClock
from titan_mesh.errors import PoisonMessage, Unavailable
from titan_mesh.ids import IdSource, SeededRng
from titan_mesh.rules import violations

POLICY_HASH = b"\x07" * 32
BOUND_S = 30


def report(lsn):
    found = ExecutionReport(
        account="paper-main", lsn=lsn, epoch=1, policy_hash=POLICY_HASH, kind=1, recorded_at_ns=1
    )
    assert not list(violations(found))
    return found


def verdict(number):
    found = PrepareVerdict(
        account="paper-main",
        phase_id="scavenger",
        intent_id=number.to_bytes(16, "big"),
        policy_hash=POLICY_HASH,
    )
    assert not list(violations(found)), list(violations(found))
    return found


class Sink:
    """What a handler was given, with an event for the test to wait on."""

    def __init__(self, fails=lambda message: None):
        self.applied = []
        self.poison = []
        self.batches = []
        self._fails = fails
        self._moved = asyncio.Condition()

    async def handle(self, batch):
        self.batches.append(len(batch))
        for delivery in batch:
            fault = self._fails(delivery)
            if fault is not None:
                raise fault
        async with self._moved:
            self.applied += [delivery.message for delivery in batch]
            self._moved.notify_all()

    async def on_poison(self, envelope, fault):
        async with self._moved:
            self.poison.append((envelope, fault))
            self._moved.notify_all()

    async def until(self, condition):
        async with asyncio.timeout(BOUND_S), self._moved:
            await self._moved.wait_for(condition)


class Running:
    """A consumer whose run() is a task for the time of a with block."""

    def __init__(self, consumer):
        self.consumer = consumer

    async def __aenter__(self):
        self._task = asyncio.create_task(self.consumer.run())
        return self.consumer

    async def __aexit__(self, *fault):
        self.consumer.stop()
        async with asyncio.timeout(BOUND_S):
            await self._task


def money(bus, sink, **options):
    return Running(
        DurableConsumer(
            bus,
            BRAIN_ON_EXECUTION_REPORT,
            sink.handle,
            clock=SystemClock(),
            on_poison=sink.on_poison,
            **options,
        )
    )


def telemetry(bus, handler, **changes):
    clock = SystemClock()
    letters = DeadLetters(Publisher(bus), POLICY_HASH, IdSource(clock, SeededRng(1)), clock)
    return Running(
        DurableConsumer(
            bus,
            replace(BRAIN_ON_PREPARE_VERDICT, **changes),
            handler,
            clock=clock,
            dead_letters=letters,
        )
    )


async def facts(bus, consumer):
    return await bus.api(f"CONSUMER.INFO.{consumer.event.stream.name}.{consumer.durable}")


async def publish_reports(bus, lsns):
    publisher = Publisher(bus)
    for lsn in lsns:
        await publisher.publish(
            EXECUTION_REPORT,
            report(lsn),
            msg_id=f"paper-main:{lsn}",
            headers={names.LSN: str(lsn)},
        )


async def first_letter(bus):
    letters = await subscribe_live(bus, DEAD_LETTER, clock=SystemClock(), start="all")
    async with asyncio.timeout(BOUND_S):
        async for delivery in letters:
            return delivery.message


async def test_reports_arrive_once_in_order_and_acknowledged(bus):
    await publish_reports(bus, range(1, 301))
    sink = Sink()
    async with money(bus, sink, batch=64) as consumer:
        await sink.until(lambda: len(sink.applied) == 300)
    assert [message.lsn for message in sink.applied] == list(range(1, 301))
    assert consumer.counts.applied == 300
    assert max(sink.batches) > 1
    info = await facts(bus, BRAIN_ON_EXECUTION_REPORT)
    assert (info["num_pending"], info["num_ack_pending"]) == (0, 0)


async def test_undecodable_money_is_held_and_never_skipped(bus):
    await publish_reports(bus, (1, 2))
    subject = subject_for(EXECUTION_REPORT, account="paper-main")
    await bus.js.publish(subject, b"\xff\xff", headers={names.LSN: "3"})
    sink = Sink()
    async with money(bus, sink):
        await sink.until(lambda: len(sink.poison) >= 2)
    assert [message.lsn for message in sink.applied] == [1, 2]
    envelope, fault = sink.poison[1]
    assert (envelope.lsn, envelope.sequence, envelope.deliveries) == (3, 3, 2)
    assert isinstance(fault, PoisonMessage)
    assert fault.code == "MESSAGE_UNDECODABLE"
    info = await facts(bus, BRAIN_ON_EXECUTION_REPORT)
    assert info["ack_floor"]["stream_seq"] == 2
    assert info["num_ack_pending"] == 1


async def test_a_failing_money_handler_names_the_message_and_holds_the_rest(bus):
    await publish_reports(bus, range(1, 6))
    broken = {3}

    def fails(delivery):
        return ValueError("no such order") if delivery.message.lsn in broken else None

    sink = Sink(fails)
    async with money(bus, sink):
        await sink.until(lambda: len(sink.poison) >= 2)
        assert [message.lsn for message in sink.applied] == [1, 2]
        assert {envelope.lsn for envelope, _ in sink.poison} == {3}
        broken.clear()
        await sink.until(lambda: {message.lsn for message in sink.applied} == {1, 2, 3, 4, 5})


async def test_a_handler_that_waits_for_its_database_is_no_poison(bus):
    await publish_reports(bus, (1, 2))
    answers = [Unavailable("DATABASE_LOCKED", "try later"), None, None]
    sink = Sink(lambda delivery: answers.pop(0))
    async with money(bus, sink):
        await sink.until(lambda: len(sink.applied) == 2)
    assert sink.poison == []


async def test_undecodable_telemetry_reaches_the_dead_letters(bus):
    subject = subject_for(PREPARE_VERDICT, account="paper-main", phase_id="scavenger")
    await bus.js.publish(subject, b"\xff\xfe", headers={names.TRACEPARENT: "00-aa-bb-01"})
    await Publisher(bus).publish(PREPARE_VERDICT, verdict(1))
    sink = Sink()
    async with telemetry(bus, sink.handle) as consumer:
        await sink.until(lambda: len(sink.applied) == 1)
        letter = await first_letter(bus)
    assert letter.consumer == BRAIN_ON_PREPARE_VERDICT.durable
    assert letter.cause == DeadLetterCause.DEAD_LETTER_CAUSE_UNDECODABLE
    assert (letter.origin_subject, letter.origin_sequence) == (subject, 1)
    assert letter.payload == b"\xff\xfe"
    assert letter.payload_digest == hashlib.sha256(b"\xff\xfe").digest()
    assert letter.policy_hash == POLICY_HASH
    assert letter.traceparent == "00-aa-bb-01"
    assert not list(violations(letter))
    assert consumer.counts.buried == 1
    info = await facts(bus, BRAIN_ON_PREPARE_VERDICT)
    assert (info["num_pending"], info["num_ack_pending"]) == (0, 0)


async def test_telemetry_that_breaks_a_rule_is_buried_as_invalid(bus):
    bad = verdict(1)
    bad.policy_hash = b"short"
    subject = subject_for(PREPARE_VERDICT, account="paper-main", phase_id="scavenger")
    await bus.js.publish(subject, bad.SerializeToString())
    sink = Sink()
    async with telemetry(bus, sink.handle):
        letter = await first_letter(bus)
    assert letter.cause == DeadLetterCause.DEAD_LETTER_CAUSE_INVALID
    assert "policy_hash" in letter.error
    assert sink.applied == []


async def test_a_failing_telemetry_handler_is_retried_then_buried(bus):
    publisher = Publisher(bus)
    for number in (1, 2, 3, 4):
        await publisher.publish(PREPARE_VERDICT, verdict(number))
    tried = []

    def fails(delivery):
        number = int.from_bytes(delivery.message.intent_id, "big")
        tried.append(number)
        recovers = number == 2 and delivery.envelope.deliveries >= 3
        return ValueError("a bug") if number in (2, 3) and not recovers else None

    sink = Sink(fails)
    async with telemetry(bus, sink.handle, back_off_ms=(1,)) as consumer:
        letter = await first_letter(bus)
        await sink.until(lambda: len(sink.applied) == 3)
    applied = {int.from_bytes(message.intent_id, "big") for message in sink.applied}
    assert applied == {1, 2, 4}
    assert (letter.origin_sequence, letter.attempts) == (3, BRAIN_ON_PREPARE_VERDICT.max_deliver)
    assert letter.cause == DeadLetterCause.DEAD_LETTER_CAUSE_HANDLER_FAILED
    assert letter.error == "ValueError('a bug')"
    assert consumer.counts.buried == 1


async def test_a_consumer_goes_on_after_a_restart_of_the_server(bus, nats_server):
    await publish_reports(bus, (1, 2))
    sink = Sink()
    async with money(bus, sink):
        await sink.until(lambda: len(sink.applied) == 2)
        nats_server.kill()
        await nats_server.start()
        async with asyncio.timeout(BOUND_S):
            while True:
                try:
                    await publish_reports(bus, (3,))
                    break
                except Unavailable:
                    continue
        await sink.until(lambda: {message.lsn for message in sink.applied} == {1, 2, 3})


async def test_a_bus_that_stays_away_ends_the_consumer(bus, nats_server):
    sink = Sink()
    consumer = money(bus, sink, give_up_s=0.5).consumer
    nats_server.kill()
    with pytest.raises(Unavailable) as gone:
        await consumer.run()
    assert gone.value.code == "BUS_GONE"


async def test_a_handler_of_single_messages_gets_them_one_by_one():
    seen = []

    async def one(delivery):
        seen.append(delivery.message.lsn)

    await each(one)([Delivery(report(lsn), None) for lsn in (1, 2, 3)])
    assert seen == [1, 2, 3]


def test_a_consumer_without_a_way_out_for_poison_is_a_bug(bus):
    with pytest.raises(AssertionError, match="on_poison"):
        DurableConsumer(bus, BRAIN_ON_EXECUTION_REPORT, Sink().handle, clock=SystemClock())


def test_secrets_do_not_reach_a_dead_letter():
    inner = DEAD_LETTER.message(consumer="x", payload=b"secret")
    kept = DEAD_LETTER.decode(redacted(DEAD_LETTER.full_name, inner.SerializeToString()))
    assert (kept.consumer, kept.payload) == ("x", b"")
    assert redacted(DEAD_LETTER.full_name, b"\xff") == b""
    assert redacted(EXECUTION_REPORT.full_name, b"\xff") == b"\xff"
