"""Interpreter of the contract's field rules (titan.rules) for protobuf messages.

Owns what a broken rule looks like to people. Must never know gRPC or NATS; each edge turns
violations into its own refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from titan.rules import RULES, FieldRule

_SHOWN_CHARS = 64


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: path of the field, its value, what was allowed."""

    field: str
    value: str
    limit: str


def violations(message: Message) -> Iterable[Violation]:
    """Every broken rule of a message, in the order of its fields."""
    return _violations(message, message.DESCRIPTOR.full_name, "")


def _violations(message: Any, full_name: str, prefix: str) -> Iterable[Violation]:
    for rule in RULES.get(full_name, ()):
        path = f"{prefix}{rule.name}"
        value = getattr(message, rule.name)
        if rule.repeated:
            yield from _repeated(rule, path, value)
        elif rule.message or rule.optional or rule.oneof or _is_message(value):
            if message.HasField(rule.name):
                yield from _element(rule, path, value)
            elif rule.required:
                yield Violation(path, "", "required")
        else:
            yield from _element(rule, path, value)


def _repeated(rule: FieldRule, path: str, items: Any) -> Iterable[Violation]:
    if rule.required and not items:
        yield Violation(path, "0 elements", "required")
    if rule.max_items and len(items) > rule.max_items:
        yield Violation(path, f"{len(items)} elements", f"at most {rule.max_items}")
        return
    for index, item in enumerate(items):
        yield from _element(rule, f"{path}[{index}]", item)


def _element(rule: FieldRule, path: str, value: Any) -> Iterable[Violation]:
    if _is_message(value):
        if rule.message:
            yield from _violations(value, rule.message, f"{path}.")
    elif limit := _broken(rule, value):
        yield Violation(path, _shown(value), limit)


def _is_message(value: Any) -> bool:
    return isinstance(value, Message)


def _broken(rule: FieldRule, value: Any) -> str:
    """What the value should have been; empty when it is fine."""
    if rule.required and not value and not rule.repeated:
        return "required"
    if isinstance(value, str | bytes):
        return _broken_text(rule, value)
    if rule.min is not None and value < rule.min:
        return f"at least {rule.min}"
    if rule.max is not None and value > rule.max:
        return f"at most {rule.max}"
    if rule.values is not None and value and value not in rule.values:
        return "a value that the contract declares"
    return ""


def _broken_text(rule: FieldRule, value: str | bytes) -> str:
    size = len(value.encode()) if isinstance(value, str) else len(value)
    if rule.length and size not in (0, rule.length):
        return f"{rule.length} bytes"
    if rule.max_length and size > rule.max_length:
        return f"at most {rule.max_length} bytes"
    if rule.characters is None or not isinstance(value, str):
        return ""
    return "" if rule.characters.issuperset(value) else "only characters that the rule allows"


def _shown(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
