"""What a consumer hands to its handler, and the reading of a raw message.

Owns decoding and the contract's rules on the consuming side. Must never acknowledge anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message
from nats.aio.msg import Msg
from titan.topology_types import Event

from titan_mesh.bus import headers as names
from titan_mesh.errors import PoisonMessage
from titan_mesh.rules import violations

M = TypeVar("M")

UNDECODABLE = "MESSAGE_UNDECODABLE"
INVALID = "MESSAGE_INVALID"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as it came: bytes and where they were."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]
    stream: str
    sequence: int
    consumer_sequence: int
    deliveries: int
    pending: int
    stored_ns: int

    @property
    def lsn(self) -> int:
        """The LSN header; 0 when there is none or it is no number."""
        text = self.headers.get(names.LSN, "")
        return int(text) if text.isascii() and text.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Delivery(Generic[M]):
    """A decoded message with its envelope."""

    message: M
    envelope: Envelope


def envelope_of(raw: Msg) -> Envelope:
    """Envelope of a JetStream message."""
    facts = raw.metadata
    return Envelope(
        subject=raw.subject,
        payload=raw.data,
        headers=raw.headers or {},
        stream=facts.stream or "",
        sequence=facts.sequence.stream if facts.sequence else 0,
        consumer_sequence=facts.sequence.consumer if facts.sequence else 0,
        deliveries=facts.num_delivered or 1,
        pending=facts.num_pending or 0,
        stored_ns=int(facts.timestamp.timestamp()) * 1_000_000_000 if facts.timestamp else 0,
    )


def read(event: Event[M], envelope: Envelope) -> Delivery[M]:
    """The message of an envelope, or PoisonMessage when it does not decode or breaks a rule."""
    try:
        message = event.decode(envelope.payload)
    except Exception as fault:  # Each family raises its own classes.
        raise PoisonMessage(
            UNDECODABLE,
            f"{event.full_name} does not decode: {fault!r}",
            "payload",
            f"{len(envelope.payload)} bytes",
            event.full_name,
        ) from None
    # Services re-check what arrives; the SDK's own classes check at construction.
    broken = next(iter(violations(message)), None) if isinstance(message, Message) else None
    if broken is not None:
        raise PoisonMessage(
            INVALID,
            f"{event.full_name}.{broken.field} breaks its rule",
            broken.field,
            broken.value,
            broken.limit,
        )
    return Delivery(message, envelope)
