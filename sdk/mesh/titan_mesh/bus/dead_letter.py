"""Dead letters: what a consumer could not apply, kept with all that is needed to understand it.

Owns the envelope and the redaction. Must never decide that a message is dead; the consumer does.
"""

from __future__ import annotations

import hashlib
from typing import Any

from google.protobuf.message import DecodeError, Message
from titan.dlq.v1.dead_letter_pb2 import DeadLetter, DeadLetterCause
from titan.spans import SENSITIVE_FIELDS
from titan.topology import DEAD_LETTER, EVENTS
from titan.topology_types import Consumer

from titan_mesh.bus import headers as names
from titan_mesh.bus.delivery import Envelope
from titan_mesh.bus.publisher import Published, Publisher
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.ids import IdSource

MAX_PAYLOAD_BYTES = 512 << 10
MAX_ERROR_BYTES = 512
MAX_TRACEPARENT_BYTES = 55

Cause = DeadLetterCause


class DeadLetters:
    """The way into the dead-letter stream, for the consumers of one process."""

    def __init__(
        self, publisher: Publisher, policy_hash: bytes, ids: IdSource, clock: Clock
    ) -> None:
        self._publisher = publisher
        self._policy_hash = policy_hash
        self._ids = ids
        self._clock = clock

    async def bury(
        self,
        consumer: Consumer[Any],
        envelope: Envelope,
        cause: DeadLetterCause.ValueType,
        fault: Exception,
    ) -> Published:
        """Store the letter; once per consumer and message, however often it is called."""
        letter = DeadLetter(
            dead_letter_id=self._ids.event_id(),
            consumer=consumer.durable,
            origin_subject=envelope.subject,
            origin_stream=envelope.stream,
            origin_sequence=envelope.sequence,
            lsn=envelope.lsn,
            event=consumer.event.full_name,
            cause=cause,
            error=_error(fault),
            attempts=envelope.deliveries,
            payload=redacted(consumer.event.full_name, envelope.payload)[:MAX_PAYLOAD_BYTES],
            payload_digest=hashlib.sha256(envelope.payload).digest(),
            policy_hash=self._policy_hash,
            traceparent=_traceparent(envelope),
            died_at_ns=self._clock.unix_ns(),
        )
        msg_id = f"{consumer.durable}:{envelope.stream}:{envelope.sequence}"
        return await self._publisher.publish(DEAD_LETTER, letter, msg_id=msg_id)


def redacted(event: str, payload: bytes) -> bytes:
    """The bytes without sensitive fields; none at all when those hide in undecodable bytes."""
    message = _message_of(event)
    if not _is_sensitive(message.DESCRIPTOR, ()):
        return payload
    try:
        message.ParseFromString(payload)
    except DecodeError:
        return b""
    _clear(message)
    return message.SerializeToString()


def _message_of(event: str) -> Message:
    kind: Any = EVENTS[event].message
    message = kind()
    assert isinstance(message, Message)
    return message


def _is_sensitive(descriptor: Any, seen: tuple[str, ...]) -> bool:
    if descriptor.full_name in seen:
        return False
    if SENSITIVE_FIELDS.get(descriptor.full_name):
        return True
    path = (*seen, descriptor.full_name)
    return any(
        field.message_type is not None and _is_sensitive(field.message_type, path)
        for field in descriptor.fields
    )


def _clear(message: Message) -> None:
    secret = SENSITIVE_FIELDS.get(message.DESCRIPTOR.full_name, frozenset())
    for field, value in message.ListFields():
        if field.name in secret:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for item in value if field.is_repeated else (value,):
                _clear(item)


def _error(fault: Exception) -> str:
    text = str(fault) if isinstance(fault, TitanError) else repr(fault)
    return text.encode("ascii", "replace")[:MAX_ERROR_BYTES].decode()


def _traceparent(envelope: Envelope) -> str:
    text = envelope.headers.get(names.TRACEPARENT, "")
    return text if len(text) <= MAX_TRACEPARENT_BYTES else ""
