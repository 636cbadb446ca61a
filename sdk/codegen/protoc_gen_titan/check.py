"""Refuses contract mistakes before anything is generated from them.

Owns the list of mistakes. Must never know how output looks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from protoc_gen_titan.model import ConsumerSpec, Contract, FieldSpec, MessageSpec

KEY_KINDS = frozenset({"string", "enum"})


def mistakes(contract: Contract) -> list[str]:
    """All mistakes, one line each, naming file and message."""
    return [
        *_streams(contract),
        *_events(contract),
        *_participants(contract),
        *_methods(contract),
        *_denials(contract),
        *_hot(contract),
    ]


def _streams(contract: Contract) -> Iterator[str]:
    for name, count in Counter(s.name for s in contract.streams).items():
        if count > 1:
            yield f"stream {name} is declared {count} times"
    for stream in contract.streams:
        if not stream.name.startswith("TITAN_"):
            yield f"{stream.file}: stream {stream.name} does not start with TITAN_"
        if stream.max_bytes <= 0 or stream.max_message_bytes <= 0:
            yield f"{stream.file}: stream {stream.name} has no size bound"
        if not 0 < stream.duplicate_window_ms <= (stream.max_age_ms or stream.duplicate_window_ms):
            yield f"{stream.file}: stream {stream.name}: duplicate_window_ms exceeds max_age_ms"


def _events(contract: Contract) -> Iterator[str]:
    streams = {s.name for s in contract.streams}
    for event in contract.events:
        where = f"{event.message.file}: {event.message.full_name}"
        if event.stream not in streams:
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
    bases = sorted((e.subject, e.message.full_name) for e in contract.events)
    for (subject, name), (other, other_name) in zip(bases, bases[1:], strict=False):
        if subject == other or other.startswith(subject + "."):
            yield f"{other_name}: subject {other!r} overlaps that of {name}"


def _participants(contract: Contract) -> Iterator[str]:
    published = {name for p in contract.participants for name in p.publishes}
    for participant in contract.participants:
        for name in participant.publishes:
            if contract.event(name) is None:
                yield f"{participant.file}: {participant.service} publishes unknown event {name!r}"
        for consumer in participant.consumes:
            where = f"{participant.file}: {participant.service}"
            if contract.event(consumer.event) is None:
                yield f"{where} consumes unknown event {consumer.event!r}"
            elif consumer.event not in published:
                yield f"{where} consumes {consumer.event!r}, which nobody publishes"
            yield from (f"{where}: {text}" for text in _consumer(consumer))
    durables = Counter(c.durable for p in contract.participants for c in p.consumes if c.durable)
    for durable, count in durables.items():
        if count > 1:
            yield f"durable {durable!r} is declared {count} times"
    for name, count in Counter(p.name for p in contract.participants).items():
        if count > 1:
            yield f"participant {name!r} is declared {count} times"


def _consumer(consumer: ConsumerSpec) -> Iterator[str]:
    if consumer.delivery_class == "money" and (consumer.max_deliver != -1 or not consumer.durable):
        yield f"money-class consumer of {consumer.event} must be durable with max_deliver -1"
    if not consumer.durable:
        return
    if consumer.ack_wait_ms <= 0 or consumer.max_ack_pending <= 0:
        yield f"durable {consumer.durable} needs ack_wait_ms and max_ack_pending"
    if consumer.delivery_class != "money" and len(consumer.back_off_ms) > consumer.max_deliver - 1:
        yield f"durable {consumer.durable}: back_off_ms is longer than max_deliver - 1"


def _methods(contract: Contract) -> Iterator[str]:
    for method in contract.methods:
        if not method.declared or not method.roles:
            yield f"{method.file}: {method.path} has no authorization"


def _denials(contract: Contract) -> Iterator[str]:
    for denial in contract.denials:
        if not denial.declared:
            yield f"{denial.file}: {denial.value} has no denial option"


def _hot(contract: Contract) -> Iterator[str]:
    hot = {m.full_name for m in contract.messages if m.hot}
    for message in contract.messages:
        if message.hot:
            for field in message.fields:
                yield from _hot_field(message, field, hot)


def _hot_field(message: MessageSpec, field: FieldSpec, hot: set[str]) -> Iterator[str]:
    where = f"{message.file}: hot {message.full_name}.{field.name}"
    if field.hot != "expand":
        return
    if field.kind in {"string", "bytes"} and not (field.rule.len or field.rule.max_len):
        yield f"{where} needs rule.len or rule.max_len"
    if field.kind == "message" and field.type_name not in hot:
        yield f"{where}: {field.type_name} is not hot; mark it, or use HOT_FIELD_SLICE"
    if field.repeated and field.kind != "message":
        yield f"{where}: repeated scalars need HOT_FIELD_SLICE"
    if field.repeated and not field.rule.max_items:
        yield f"{where} needs rule.max_items"
