"""Refuses contract mistakes before anything is generated from them.

Owns the mistakes that concern every message: bus, access, shape. Must never know how output looks.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

from protoc_gen_titan.check_hot import hot_mistakes
from protoc_gen_titan.model import ConsumerSpec, Contract, EventSpec, StreamSpec

KEY_KINDS = frozenset({"string", "enum"})
DEAD_LETTER_SUBJECT = "titan.dlq.v1"
GRPC_STATUSES = frozenset(
    {
        "CANCELLED",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    }
)


def mistakes(contract: Contract) -> list[str]:
    """All mistakes, one line each, naming file and message."""
    return [
        *_shape(contract),
        *_streams(contract),
        *_events(contract),
        *_participants(contract),
        *_consumers(contract),
        *_methods(contract),
        *_denials(contract),
        *hot_mistakes(contract),
    ]


def _twice(rows: Iterable[tuple[str, str]], what: str) -> Iterator[str]:
    """Rows of (name, file): every name that stands more than once, with its files."""
    pairs = list(rows)
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            files = ", ".join(sorted({file for n, file in pairs if n == name}))
            yield f"{files}: {what} {name!r} is declared {count} times"


def _shape(contract: Contract) -> Iterator[str]:
    for nested in contract.nested:
        yield f"{nested} is nested; declare it at the top of its file (maps are not used)"
    for message in contract.messages:
        where = f"{message.file}: {message.full_name}"
        if not message.in_order:
            yield f"{where}: fields do not stand in the order of their numbers"
        for field in message.fields:
            if field.rule.defined_only and field.kind != "enum":
                yield f"{where}.{field.name}: defined_only on a field that is no enum"


def _streams(contract: Contract) -> Iterator[str]:
    yield from _twice(((s.name, s.file) for s in contract.streams), "stream")
    for stream in contract.streams:
        yield from _stream(stream)


def _stream(stream: StreamSpec) -> Iterator[str]:
    where = f"{stream.file}: stream {stream.name}"
    if not stream.name.startswith("TITAN_"):
        yield f"{where} does not start with TITAN_"
    if "unspecified" in (stream.storage, stream.discard):
        yield f"{where} needs storage and discard"
    if stream.max_bytes <= 0 or stream.max_message_bytes <= 0:
        yield f"{where} has no size bound"
    if not 0 < stream.duplicate_window_ms <= (stream.max_age_ms or stream.duplicate_window_ms):
        yield f"{where}: duplicate_window_ms is not within 1 and max_age_ms"


def _events(contract: Contract) -> Iterator[str]:
    streams = {s.name for s in contract.streams}
    for event in contract.events:
        yield from _event(event, streams)
    bases = sorted((e.subject, e.message.full_name, e.message.file) for e in contract.events)
    for (subject, name, _), (other, other_name, file) in itertools.pairwise(bases):
        if subject == other or other.startswith(subject + "."):
            yield f"{file}: {other_name}: subject {other!r} overlaps that of {name}"
    yield from _twice(((e.message.name, e.message.file) for e in contract.events), "event")


def _event(event: EventSpec, streams: set[str]) -> Iterator[str]:
    where = f"{event.message.file}: {event.message.full_name}"
    if not event.stream:
        yield f"{where}: event names no stream"
    elif event.stream not in streams:
        yield f"{where}: unknown stream {event.stream!r}"
    if not event.subject.startswith("titan."):
        yield f"{where}: subject {event.subject!r} does not start with titan."
    for key in event.keys:
        field = event.message.field(key)
        if field is None:
            yield f"{where}: key {key!r} is not a field"
        elif field.kind not in KEY_KINDS or field.repeated:
            yield f"{where}: key {key!r} is not a single string or enum field"
    carries = event.message.field("policy_hash") is not None
    if not carries and not event.policy_hash_exempt:
        yield f"{where}: event carries no policy_hash and is not exempt"
    if carries and event.policy_hash_exempt:
        yield f"{where}: event carries a policy_hash and is exempt from it"


def _participants(contract: Contract) -> Iterator[str]:
    yield from _twice(((p.name, p.file) for p in contract.participants), "participant")
    for participant in contract.participants:
        for name in participant.publishes:
            if contract.event(name) is None:
                yield f"{participant.file}: {participant.service} publishes unknown event {name!r}"


def _consumers(contract: Contract) -> Iterator[str]:
    published = {name for p in contract.participants for name in p.publishes}
    kept = any(e.subject == DEAD_LETTER_SUBJECT for e in contract.events)
    consumers = [(p, c) for p in contract.participants for c in p.consumes]
    for participant, consumer in consumers:
        where = f"{participant.file}: {participant.service}"
        if contract.event(consumer.event) is None:
            yield f"{where} consumes unknown event {consumer.event!r}"
        elif consumer.event not in published:
            yield f"{where} consumes {consumer.event!r}, which nobody publishes"
        if consumer.durable and consumer.delivery_class == "telemetry" and not kept:
            yield f"{where}: durable {consumer.durable!r} has no event on {DEAD_LETTER_SUBJECT}"
        yield from (f"{where}: {text}" for text in _consumer(consumer))
    yield from _twice(((c.durable, c.file) for _, c in consumers if c.durable), "durable")
    yield from _twice(
        ((f"{c.participant} <- {c.event}", c.file) for _, c in consumers if not c.durable),
        "ephemeral consumer",
    )


def _consumer(consumer: ConsumerSpec) -> Iterator[str]:
    if consumer.delivery_class == "unspecified":
        yield f"consumer of {consumer.event} has no delivery_class"
    if consumer.delivery_class == "money" and (consumer.max_deliver != -1 or not consumer.durable):
        yield f"money-class consumer of {consumer.event} must be durable with max_deliver -1"
    if not consumer.durable:
        return
    if consumer.ack_wait_ms <= 0 or consumer.max_ack_pending <= 0:
        yield f"durable {consumer.durable} needs ack_wait_ms and max_ack_pending"
    if consumer.delivery_class != "money" and consumer.max_deliver < 1:
        yield f"durable {consumer.durable} needs max_deliver"
    elif consumer.delivery_class != "money" and len(consumer.back_off_ms) >= consumer.max_deliver:
        yield f"durable {consumer.durable}: back_off_ms is longer than max_deliver - 1"


def _methods(contract: Contract) -> Iterator[str]:
    for method in contract.methods:
        if not method.declared or not method.roles:
            yield f"{method.file}: {method.path} has no authorization"
        elif "ROLE_UNSPECIFIED" in method.roles:
            yield f"{method.file}: {method.path} authorises ROLE_UNSPECIFIED"


def _denials(contract: Contract) -> Iterator[str]:
    for denial in contract.denials:
        where = f"{denial.file}: {denial.enum}.{denial.value}"
        if not denial.declared:
            yield f"{where} has no denial option"
        elif not denial.hint:
            yield f"{where} has no hint"
        elif denial.grpc_status not in GRPC_STATUSES:
            yield f"{where}: {denial.grpc_status!r} is no gRPC status"
