"""titan.topology for the services: typed events, streams, consumers by participant.

Owns what follows from bus options in Python. Must never know how messages are encoded beyond
the names of the two callables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from protoc_gen_titan.check import DEAD_LETTER_SUBJECT
from protoc_gen_titan.model import ConsumerSpec, Contract, EventSpec, StreamSpec, screaming
from protoc_gen_titan.text import module_header, quoted, static_text, tuple_of

REPLAY_SUBJECT = "titan.replay"


def emit_topology_types(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields the static shapes."""
    yield "titan/topology_types.py", static_text("emit", "topology_types.py.txt")


def emit_topology(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields titan/topology.py over the protobuf classes."""
    lines = [
        module_header(
            "The bus of Titan, typed, over the protobuf message classes.",
            "Owns every subject, stream and consumer. Must never be edited or imitated by hand.",
        ),
        "from collections.abc import Mapping",
        "",
    ]
    lines += sorted(
        f"from {e.message.package} import {_module(e)}_pb2 as {_alias(e)}"
        for e in _first_of_each_file(contract)
    )
    lines.append("from titan.topology_types import Consumer, Event, Key, Participant, Stream")
    lines += topology_body(
        contract,
        lambda e: f"{_alias(e)}.{e.message.name}",
        lambda e: (
            f"{_alias(e)}.{e.message.name}.SerializeToString",
            f"{_alias(e)}.{e.message.name}.FromString",
        ),
    )
    yield "titan/topology.py", "\n".join(lines) + "\n"


def topology_body(
    contract: Contract,
    class_of: Callable[[EventSpec], str],
    codec_of: Callable[[EventSpec], tuple[str, str]],
) -> list[str]:
    """Constants of streams, events, consumers and participants."""
    lines: list[str] = []
    for stream in contract.streams:
        lines += ["", *_stream(contract, stream)]
    for event in contract.events:
        lines += ["", *_event(contract, event, class_of(event), *codec_of(event))]
    for consumer in _consumers(contract):
        lines += ["", *_consumer(contract, consumer, class_of)]
    lines += ["", *_tables(contract)]
    return lines


def stream_subjects(contract: Contract, stream: StreamSpec) -> tuple[str, ...]:
    """Everything that the stream stores: its events, and replays to their durables."""
    events = [e for e in contract.events if e.stream == stream.name]
    names = {e.message.full_name for e in events}
    subjects = [wildcard(e) for e in events]
    subjects += [
        f"{REPLAY_SUBJECT}.{c.durable}"
        for c in _consumers(contract)
        if c.durable and c.event in names
    ]
    return tuple(sorted(subjects))


def wildcard(event: EventSpec) -> str:
    """The subject that matches every message of the event."""
    return ".".join((event.subject, *("*" for _ in event.keys)))


def consumer_constant(contract: Contract, consumer: ConsumerSpec) -> str:
    """Name of the consumer's constant, e.g. BRAIN_ON_EXECUTION_REPORT."""
    event = contract.event(consumer.event)
    assert event is not None, "check.py refuses unknown events"
    name = f"{consumer.participant.upper()}_ON_{event.constant}"
    twins = [
        c
        for c in _consumers(contract)
        if c.participant == consumer.participant and c.event == consumer.event
    ]
    if len(twins) > 1 and consumer.durable:
        return f"{name}_{consumer.durable.upper().replace('-', '_')}"
    return name


def _consumers(contract: Contract) -> list[ConsumerSpec]:
    return [c for p in contract.participants for c in p.consumes]


def _module(event: EventSpec) -> str:
    return event.message.file.rsplit("/", 1)[1].removesuffix(".proto")


def _alias(event: EventSpec) -> str:
    package = event.message.package.removeprefix("titan.").replace(".", "_")
    return f"{package}_{_module(event)}_pb2"


def _first_of_each_file(contract: Contract) -> list[EventSpec]:
    files: dict[str, EventSpec] = {}
    for event in contract.events:
        files.setdefault(event.message.file, event)
    return list(files.values())


def _stream(contract: Contract, stream: StreamSpec) -> list[str]:
    lines = [f"{stream.name} = Stream("]
    lines += [
        f"    name={quoted(stream.name)},",
        f"    storage={quoted(stream.storage)},",
        f"    discard={quoted(stream.discard)},",
        f"    max_age_ms={stream.max_age_ms},",
        f"    max_bytes={stream.max_bytes},",
        f"    duplicate_window_ms={stream.duplicate_window_ms},",
        f"    deny_delete={stream.deny_delete},",
        f"    max_message_bytes={stream.max_message_bytes},",
        "    subjects=(",
    ]
    lines += [f"        {quoted(s)}," for s in stream_subjects(contract, stream)]
    return [*lines, "    ),", ")"]


def _event(
    contract: Contract, event: EventSpec, message: str, encode: str, decode: str
) -> list[str]:
    return [
        f"{event.constant}: Event[{message}] = Event(",
        f"    full_name={quoted(event.message.full_name)},",
        f"    message={message},",
        f"    base={quoted(event.subject)},",
        f"    keys={tuple_of(_key(contract, event, key) for key in event.keys)},",
        f"    stream={event.stream},",
        f"    policy_hash_exempt={quoted(event.policy_hash_exempt)},",
        f"    encode={encode},",
        f"    decode={decode},",
        ")",
    ]


def _key(contract: Contract, event: EventSpec, key: str) -> str:
    field = event.message.field(key)
    assert field is not None, "check.py refuses keys that are no field"
    if field.kind != "enum":
        return f"Key({quoted(key)})"
    enum = contract.enum(field.type_name)
    prefix = screaming(enum.name) + "_"
    tokens = ", ".join(f"{n}: {quoted(v.removeprefix(prefix))}" for v, n in enum.values if n)
    return f"Key({quoted(key)}, {{{tokens}}})"


def _consumer(
    contract: Contract, consumer: ConsumerSpec, class_of: Callable[[EventSpec], str]
) -> list[str]:
    event = contract.event(consumer.event)
    assert event is not None, "check.py refuses unknown events"
    durable = consumer.durable
    return [
        f"{consumer_constant(contract, consumer)}: Consumer[{class_of(event)}] = Consumer(",
        f"    participant={quoted(consumer.participant)},",
        f"    event={event.constant},",
        f"    durable={quoted(durable)},",
        f"    delivery_class={quoted(consumer.delivery_class)},",
        f"    ack_wait_ms={consumer.ack_wait_ms},",
        f"    max_deliver={consumer.max_deliver},",
        f"    max_ack_pending={consumer.max_ack_pending},",
        f"    back_off_ms={tuple_of(str(b) for b in consumer.back_off_ms)},",
        f"    dead_letter_subject={quoted(f'{DEAD_LETTER_SUBJECT}.{durable}' if durable else '')},",
        f"    replay_subject={quoted(f'{REPLAY_SUBJECT}.{durable}' if durable else '')},",
        ")",
    ]


def _tables(contract: Contract) -> list[str]:
    lines = ["STREAMS: Mapping[str, Stream] = {"]
    lines += [f"    {quoted(s.name)}: {s.name}," for s in contract.streams]
    lines += ["}", "EVENTS: Mapping[str, Event[object]] = {"]
    lines += [
        f"    {quoted(e.message.full_name)}: {e.constant},  # type: ignore[dict-item]"
        for e in contract.events
    ]
    lines += ["}", "CONSUMERS: Mapping[str, tuple[Consumer[object], ...]] = {"]
    for participant in contract.participants:
        lines.append(f"    {quoted(participant.name)}: (")
        lines += [
            f"        {consumer_constant(contract, c)},  # type: ignore[dict-item]"
            for c in participant.consumes
        ]
        lines.append("    ),")
    lines += ["}", "PARTICIPANTS: Mapping[str, Participant] = {"]
    for participant in contract.participants:
        publishes = tuple_of(quoted(name) for name in participant.publishes)
        consumes = tuple_of(quoted(c.event) for c in participant.consumes)
        durables = tuple_of(quoted(c.durable) for c in participant.consumes if c.durable)
        lines += [
            f"    {quoted(participant.name)}: Participant(",
            f"        name={quoted(participant.name)},",
            f"        publishes={publishes},",
            f"        consumes={consumes},",
            f"        durables={durables},",
            "    ),",
        ]
    return [*lines, "}"]
