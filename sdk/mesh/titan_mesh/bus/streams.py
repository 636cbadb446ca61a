"""Streams and consumers of the topology on a server: plan, apply, verify.

Owns the translation of the topology into JetStream configuration and the comparison field by
field. Must never change a server on its own: apply is called by the provisioner only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from titan import topology
from titan.topology_types import Consumer, Stream

from titan_mesh import canonical_json
from titan_mesh.bus.connection import Bus
from titan_mesh.errors import BusError, SpecDrift

_NS_PER_MS = 1_000_000
MIN_SERVER_VERSION = (2, 12, 7)
CONTRACT_KEY = "titan-contract"
_NOT_FOUND = 404

# What the server lets nobody change; a difference here needs a person.
_FIXED_FIELDS = frozenset({"storage", "retention", "ack_policy", "deliver_policy"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which the server differs; a missing object has the field "" ."""

    kind: str
    name: str
    field: str
    found: object
    wanted: object

    def __str__(self) -> str:
        if not self.field:
            return f"{self.kind} {self.name}: missing"
        return f"{self.kind} {self.name}.{self.field}: found {self.found!r}, wanted {self.wanted!r}"


def stream_config(stream: Stream) -> dict[str, Any]:
    """Configuration of a stream as the server speaks it: nanoseconds, bytes."""
    return {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "retention": "limits",
        "storage": stream.storage,
        "discard": stream.discard,
        "max_age": stream.max_age_ms * _NS_PER_MS,
        "max_bytes": stream.max_bytes,
        "max_msgs": -1,
        "max_msgs_per_subject": -1,
        "max_consumers": -1,
        "max_msg_size": stream.max_message_bytes,
        "duplicate_window": stream.duplicate_window_ms * _NS_PER_MS,
        "deny_delete": stream.deny_delete,
        "deny_purge": stream.deny_delete,
        "num_replicas": 1,
        "sealed": False,
        "no_ack": False,
        "allow_rollup_hdrs": False,
    }


def consumer_config(consumer: Consumer[Any]) -> dict[str, Any]:
    """Configuration of a durable as the server speaks it.

    Back-off stays with the runtime (nak with delay): the server's own would replace ack_wait.
    """
    return {
        "name": consumer.durable,
        "durable_name": consumer.durable,
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "replay_policy": "instant",
        "ack_wait": consumer.ack_wait_ms * _NS_PER_MS,
        "max_deliver": consumer.max_deliver,
        "max_ack_pending": consumer.max_ack_pending,
        "filter_subjects": list(consumer.filter_subjects),
        "num_replicas": 0,
        "backoff": [],
    }


def durables() -> tuple[Consumer[Any], ...]:
    """Every declared durable of the mesh."""
    return tuple(
        consumer
        for consumers in topology.CONSUMERS.values()
        for consumer in consumers
        if consumer.durable
    )


def _metadata(config: dict[str, Any]) -> dict[str, str]:
    digest = hashlib.sha256(canonical_json.canonical(config)).hexdigest()
    return {CONTRACT_KEY: digest}


def differences(
    kind: str, name: str, found: dict[str, Any], wanted: dict[str, Any]
) -> Iterable[Difference]:
    """Fields that we own and that differ; missing equals empty, `_nats.` keys are the server's."""
    whole = {**wanted, "metadata": _metadata(wanted)}
    for field, value in whole.items():
        have = found.get(field)
        if field == "metadata":
            have = {key: text for key, text in (have or {}).items() if not key.startswith("_nats.")}
        if not _equal(have, value):
            yield Difference(kind, name, field, have, value)


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return sorted(found or []) == sorted(wanted)
    if isinstance(wanted, dict):
        return bool((found or {}) == wanted)
    return bool(found == wanted) or not (found or wanted)


async def _found(bus: Bus, request: str) -> dict[str, Any] | None:
    answer = await bus.api(request)
    error = answer.get("error")
    if error is None:
        config: dict[str, Any] = answer["config"]
        return config
    if error.get("code") == _NOT_FOUND:
        return None
    raise BusError("BUS_REFUSED", f"{request}: {error.get('description')}", "bus", request)


async def plan(bus: Bus, participant: str = "") -> list[Difference]:
    """What apply would change; for one participant only what it touches."""
    streams, consumers = _scope(participant)
    found: list[Difference] = []
    for stream in streams:
        config = await _found(bus, f"STREAM.INFO.{stream.name}")
        found += _compare("stream", stream.name, config, stream_config(stream))
    for consumer in consumers:
        where = f"{consumer.event.stream.name}.{consumer.durable}"
        config = await _found(bus, f"CONSUMER.INFO.{where}")
        if config and "filter_subject" in config:
            config = {**config, "filter_subjects": [config["filter_subject"]]}
        found += _compare("consumer", consumer.durable, config, consumer_config(consumer))
    return found


def _compare(
    kind: str, name: str, config: dict[str, Any] | None, wanted: dict[str, Any]
) -> Iterable[Difference]:
    if config is None:
        return [Difference(kind, name, "", None, None)]
    return differences(kind, name, config, wanted)


def _scope(participant: str) -> tuple[tuple[Stream, ...], tuple[Consumer[Any], ...]]:
    if not participant:
        return tuple(topology.STREAMS.values()), durables()
    facts = topology.PARTICIPANTS[participant]
    touched = {*facts.publishes, *facts.consumes}
    names = {topology.EVENTS[name].stream.name for name in touched}
    mine = tuple(consumer for consumer in durables() if consumer.participant == participant)
    return tuple(topology.STREAMS[name] for name in sorted(names)), mine


async def apply(bus: Bus) -> list[Difference]:
    """Create and update until the server equals the topology; returns what was changed."""
    changes = await plan(bus)
    stuck = [change for change in changes if change.field in _FIXED_FIELDS]
    if stuck:
        raise _drift(stuck, "The server cannot change these; delete the object by hand first.")
    touched = {(change.kind, change.name): bool(change.field) for change in changes}
    for (kind, name), exists in touched.items():
        if kind == "stream":
            await _apply_stream(bus, topology.STREAMS[name], exists=exists)
    for consumer in durables():
        if (key := ("consumer", consumer.durable)) in touched:
            await _apply_consumer(bus, consumer, exists=touched[key])
    return changes


async def _apply_stream(bus: Bus, stream: Stream, *, exists: bool) -> None:
    config = stream_config(stream)
    verb = "UPDATE" if exists else "CREATE"
    body = {**config, "metadata": _metadata(config)}
    await _command(bus, f"STREAM.{verb}.{stream.name}", body)


async def _apply_consumer(bus: Bus, consumer: Consumer[Any], *, exists: bool) -> None:
    config = consumer_config(consumer)
    stream = consumer.event.stream.name
    body = {
        "stream_name": stream,
        "config": {**config, "metadata": _metadata(config)},
        "action": "update" if exists else "create",
    }
    await _command(bus, f"CONSUMER.CREATE.{stream}.{consumer.durable}", body)


async def _command(bus: Bus, request: str, body: dict[str, Any]) -> None:
    answer = await bus.api(request, body)
    if error := answer.get("error"):
        raise BusError(
            "STREAM_REFUSED", f"{request}: {error.get('description')}", "bus", error.get("err_code")
        )


async def verify(bus: Bus, participant: str = "") -> None:
    """Nothing, or SpecDrift with a readable list; each process calls it for itself at its start."""
    server = bus.client.connected_server_version
    numbers = (server.major, server.minor, server.patch)
    if numbers < MIN_SERVER_VERSION:
        least = ".".join(str(part) for part in MIN_SERVER_VERSION)
        version = ".".join(str(part) for part in numbers)
        raise SpecDrift("SERVER_TOO_OLD", f"nats-server {version}", "nats", version, f">= {least}")
    if found := await plan(bus, participant):
        raise _drift(found, "`titan streams apply` brings the server in line.")


def _drift(found: list[Difference], hint: str) -> SpecDrift:
    lines = "; ".join(str(difference) for difference in found)
    return SpecDrift(
        "STREAMS_DIFFER",
        f"{len(found)} differences: {lines}",
        found[0].name,
        found[0].found,
        found[0].wanted,
        hint=hint,
    )


async def provisioned(bus: Bus) -> bool:
    """True when the server has any stream of ours; `titan up` applies only when it has none."""
    for name in topology.STREAMS:
        if await _found(bus, f"STREAM.INFO.{name}") is not None:
            return True
    return False


async def restore_memory_streams(bus: Bus) -> list[str]:
    """Re-create memory streams that a restart of the server dropped; returns their names."""
    missing = []
    for stream in topology.STREAMS.values():
        if stream.storage == "memory" and await _found(bus, f"STREAM.INFO.{stream.name}") is None:
            await _apply_stream(bus, stream, exists=False)
            missing.append(stream.name)
    return missing


async def slowest_pending(bus: Bus, stream: Stream) -> int:
    """Messages that the slowest consumer of a stream has not taken yet; 0 without consumers."""
    answer = await bus.api(f"CONSUMER.LIST.{stream.name}", {"offset": 0})
    return max((int(info["num_pending"]) for info in answer.get("consumers") or ()), default=0)
