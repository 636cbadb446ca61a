"""Seeded values for every message of the contract, wild or within its rules.

Owns how test messages are made. Must never know the codecs under test.
"""

from __future__ import annotations

import importlib
import pathlib
import random
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from titan.rules import RULES, FieldRule

REPOSITORY = pathlib.Path(__file__).parents[2]
LETTERS = "ABCXYZabcxyz019_-"
WORDS = "aZ9_- .:/é€𝄞\n"
LIMITS = {
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
}


def contract_files() -> list[descriptor_pb2.FileDescriptorProto]:
    """The files of the contract, option definitions left out."""
    image = (REPOSITORY / "gen/descriptor/titan.binpb").read_bytes()
    files = descriptor_pb2.FileDescriptorSet.FromString(image).file
    return [f for f in files if f.package.startswith("titan.") and "options" not in f.package]


def message_names() -> list[str]:
    """Full names of every message of the contract."""
    return [f"{f.package}.{m.name}" for f in contract_files() for m in f.message_type]


def pb2_class(full_name: str) -> Any:
    """The protobuf class of a message."""
    for file in contract_files():
        package, _, name = full_name.rpartition(".")
        if file.package == package and any(m.name == name for m in file.message_type):
            module = importlib.import_module(file.name.replace("/", ".")[:-6] + "_pb2")
            return getattr(module, name)
    raise LookupError(full_name)


def sdk_class(full_name: str) -> Any:
    """The betterproto2 class of a message."""
    package, _, name = full_name.rpartition(".")
    return getattr(importlib.import_module(f"titan_sdk._pb.{package}"), name)


def wild(full_name: str, rng: random.Random, density: float = 0.6) -> Message:
    """A message whose values ignore all rules but the declared enum values and string bounds."""
    return _filled(pb2_class(full_name)(), rng, density, valid=False)


def valid(full_name: str, rng: random.Random) -> Message:
    """A message that keeps every rule."""
    return _filled(pb2_class(full_name)(), rng, 0.7, valid=True)


def mutations(message: Message, rng: random.Random, count: int) -> Iterator[Message]:
    """Copies with one field each replaced by a value at or beyond the edge of its rule."""
    fields = [f for f in message.DESCRIPTOR.fields if not f.is_repeated and not f.message_type]
    for _ in range(count if fields else 0):
        copy = type(message)()
        copy.CopyFrom(message)
        field = rng.choice(fields)
        rule = _rule(field)
        if field.type in LIMITS:
            low, high = LIMITS[field.type]
            edges = [0, 1, low, high, *((rule.min or 0) + d for d in (-1, 0, 1))]
            edges += [(rule.max or 0) + d for d in (-1, 0, 1)]
            setattr(copy, field.name, rng.choice([e for e in edges if low <= e <= high]))
        elif field.enum_type:
            setattr(copy, field.name, rng.choice([0, 1, 99, -1]))
        elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            size = rule.length or rule.max_length
            text = "".join(rng.choice(WORDS) for _ in range(rng.choice([0, 1, max(size // 4, 1)])))
            raw = b"x" * rng.choice([0, max(size - 1, 0), size])
            is_text = field.type == FieldDescriptor.TYPE_STRING
            setattr(copy, field.name, text[: size or None] if is_text else raw)
        yield copy


def _rule(field: FieldDescriptor) -> FieldRule:
    for rule in RULES.get(field.containing_type.full_name, ()):
        if rule.name == field.name:
            return rule
    return FieldRule(field.name, field.number)


def _filled(message: Any, rng: random.Random, density: float, valid: bool) -> Any:
    taken: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        rule = _rule(field)
        oneof = field.containing_oneof.name if field.containing_oneof else ""
        needed = valid and (rule.required or (rule.min or 0) > 0)
        if oneof in taken or not (needed or rng.random() < density):
            continue
        if oneof:
            taken.add(oneof)
        if field.is_repeated:
            most = min(rule.max_items or 4, 4)
            items = [
                _value(field, rule, rng, density, valid)
                for _ in range(rng.randint(1 if needed else 0, most))
            ]
            getattr(message, field.name).extend(items)
        elif field.message_type:
            part = _value(field, rule, rng, density, valid)
            getattr(message, field.name).CopyFrom(part)
        else:
            setattr(message, field.name, _value(field, rule, rng, density, valid))
    return message


def _value(
    field: FieldDescriptor, rule: FieldRule, rng: random.Random, density: float, valid: bool
) -> Any:
    if field.message_type:
        return _filled(pb2_class(field.message_type.full_name)(), rng, density, valid)
    if field.enum_type:
        numbers = [v.number for v in field.enum_type.values]
        return rng.choice([n for n in numbers if n] if valid and rule.required else numbers)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type in LIMITS:
        low, high = LIMITS[field.type]
        if valid:
            low = max(low, rule.min) if rule.min is not None else low
            high = min(high, rule.max) if rule.max is not None else high
        edges = [e for e in (low, high, 0, 1, 127, 128, -1, 1 << 20) if low <= e <= high]
        return rng.choice([rng.randint(low, high), *edges])
    size = rule.length or rng.randint(1, min(rule.max_length or 24, 64))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rng.randbytes(size)
    text = "".join(rng.choice(LETTERS if valid else WORDS) for _ in range(size))
    while len(text.encode()) > (rule.max_length or 64):
        text = text[:-1]
    return text
