"""The contract as plain frozen data: what the emitters write from.

Owns the shape of contract facts. Must never know protobuf descriptors or output files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """Constraint of one field; None or 0 means not constrained."""

    required: bool = False
    min: int | None = None
    max: int | None = None
    len: int = 0
    max_len: int = 0
    defined_only: bool = False
    max_items: int = 0
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field; `kind` is the proto scalar name, "enum" or "message"."""

    name: str
    number: int
    kind: str
    type_name: str
    repeated: bool
    optional: bool
    oneof: str
    rule: RuleSpec
    span_attribute: str
    sensitive: bool
    hot: str


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One message with its bus facts."""

    name: str
    full_name: str
    package: str
    file: str
    fields: tuple[FieldSpec, ...]
    hot: bool
    in_order: bool = True

    def field(self, name: str) -> FieldSpec | None:
        """The field of that name."""
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True)
class EnumSpec:
    """One enum; values in declaration order."""

    name: str
    full_name: str
    package: str
    file: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One JetStream stream."""

    name: str
    storage: str
    discard: str
    max_age_ms: int
    max_bytes: int
    duplicate_window_ms: int
    deny_delete: bool
    max_message_bytes: int
    package: str
    file: str


@dataclass(frozen=True, slots=True)
class EventSpec:
    """A message that travels on the bus."""

    message: MessageSpec
    subject: str
    keys: tuple[str, ...]
    stream: str
    policy_hash_exempt: str

    @property
    def constant(self) -> str:
        """Name of the constant in generated code."""
        return screaming(self.message.name)


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """What a participant eats."""

    participant: str
    event: str
    durable: str
    delivery_class: str
    ack_wait_ms: int
    max_deliver: int
    max_ack_pending: int
    back_off_ms: tuple[int, ...]
    file: str


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One RPC and who may call it."""

    path: str
    name: str
    request: str
    response: str
    roles: tuple[str, ...]
    deadline_exempt: bool
    declared: bool
    streams: bool
    file: str


@dataclass(frozen=True, slots=True)
class ParticipantSpec:
    """The bus surface of one process."""

    name: str
    service: str
    publishes: tuple[str, ...]
    consumes: tuple[ConsumerSpec, ...]
    file: str


@dataclass(frozen=True, slots=True)
class DenialSpec:
    """What a reject reason tells its reader."""

    enum: str
    value: str
    number: int
    hint: str
    grpc_status: str
    retryable: bool
    declared: bool
    file: str


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything the emitters need, in a fixed order."""

    messages: tuple[MessageSpec, ...]
    enums: tuple[EnumSpec, ...]
    streams: tuple[StreamSpec, ...]
    events: tuple[EventSpec, ...]
    participants: tuple[ParticipantSpec, ...]
    methods: tuple[MethodSpec, ...]
    denials: tuple[DenialSpec, ...]
    nested: tuple[str, ...]
    comments: Mapping[str, str]

    def comment(self, full_name: str) -> str:
        """What the proto file says about it, on one line."""
        return self.comments.get(full_name, "")

    def event(self, full_name: str) -> EventSpec | None:
        """The event of that full name."""
        return next((e for e in self.events if e.message.full_name == full_name), None)

    def enum(self, full_name: str) -> EnumSpec:
        """The enum of that full name; it must exist."""
        return next(e for e in self.enums if e.full_name == full_name)

    def message(self, full_name: str) -> MessageSpec:
        """The message of that full name; it must exist."""
        return next(m for m in self.messages if m.full_name == full_name)


def snake(name: str) -> str:
    """CamelCase to snake_case."""
    out = []
    for i, ch in enumerate(name):
        if ch.isupper() and i and (not name[i - 1].isupper()):
            out.append("_")
        out.append(ch.lower())
    return "".join(out)


def screaming(name: str) -> str:
    """CamelCase to SCREAMING_SNAKE."""
    return snake(name).upper()
