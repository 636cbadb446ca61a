"""The contract's field rules, applied to what an author wishes.

Owns the reading of titan.rules for dataclass messages. Must never state a rule of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from betterproto2 import Message
from titan.rules import RULES, FieldRule
from titan_mesh.errors import TitanError

_SIGNAL = "titan.trading.v1.IntentSignal"
_STAMPED_LATER = frozenset(
    {"intent_id", "policy_hash", "phase_id", "account", "created_at_ns", "expires_at_boottime_ns"}
)


def check_signal(signal: Message, error: type[TitanError]) -> None:
    """Raise `error` for the first rule that an author's part of an IntentSignal breaks."""
    for rule in RULES[_SIGNAL]:
        if rule.name not in _STAMPED_LATER:
            _check(rule, getattr(signal, rule.name), error)


def _check(rule: FieldRule, value: object, error: type[TitanError]) -> None:
    if not rule.repeated:
        for limit in _broken(rule, value):
            raise _fault(rule, value, limit, error)
        return
    assert isinstance(value, list)
    if rule.max_items and len(value) > rule.max_items:
        raise _fault(rule, len(value), f"at most {rule.max_items} items", error)
    for item in value:
        for limit in _broken(rule, item):
            raise _fault(rule, item, limit, error)
        for inner in RULES.get(rule.message, ()):
            _check(inner, getattr(item, inner.name), error)


def _broken(rule: FieldRule, value: object) -> Iterator[str]:
    """The limits that a value breaks, in words."""
    if rule.required and not value:
        yield "required"
    if isinstance(value, int):
        if rule.min is not None and value < rule.min:
            yield f">= {rule.min}"
        if rule.max is not None and value > rule.max:
            yield f"<= {rule.max}"
        if rule.values is not None and value not in rule.values:
            yield "a declared value"
    if isinstance(value, str | bytes):
        size = len(value.encode()) if isinstance(value, str) else len(value)
        if rule.length and size not in (0, rule.length):
            yield f"{rule.length} bytes"
        if rule.max_length and size > rule.max_length:
            yield f"at most {rule.max_length} bytes"
    if isinstance(value, str) and rule.characters is not None and not rule.characters >= set(value):
        yield "allowed characters: letters, digits and " + "".join(
            sorted(c for c in rule.characters if not c.isalnum())
        )


def _fault(rule: FieldRule, value: object, limit: str, error: type[TitanError]) -> TitanError:
    return error(
        code="CONTRACT_RULE",
        message=f"{rule.name} breaks a rule of the contract",
        field=rule.name,
        value=repr(value)[:64],
        limit=limit,
        hint="See IntentSignal in proto/titan/trading/v1/intent.proto.",
    )
