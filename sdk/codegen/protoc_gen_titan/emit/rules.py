"""titan.rules: the constraints of every field, for interpreters.

Owns the table of rules. Must never know how a violation is reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from protoc_gen_titan.model import Contract, FieldSpec, MessageSpec, RuleSpec
from protoc_gen_titan.text import module_header, quoted, tuple_of

BODY = '''
from collections.abc import Mapping
from dataclasses import dataclass

TOKEN_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
PRINTABLE_CHARACTERS = frozenset(chr(code) for code in range(32, 127))


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Constraint of one field.

    `required`: differs from its zero value; sub-messages present; lists not empty.
    `min`, `max`, `length`, `max_length`, `values`, `characters` hold for each element of a list;
    an optional field that is not set passes them. An empty string or bytes value passes
    `length`. `values` are the declared numbers of a closed enum (zero passes unless required).
    `characters` are the allowed ones. `message` names the sub-message type to descend into.
    Lengths are in bytes.
    """

    name: str
    number: int
    repeated: bool = False
    optional: bool = False
    required: bool = False
    min: int | None = None
    max: int | None = None
    length: int = 0
    max_length: int = 0
    max_items: int = 0
    values: frozenset[int] | None = None
    characters: frozenset[str] | None = None
    message: str = ""
    oneof: str = ""


RULES: Mapping[str, tuple[FieldRule, ...]] = {
'''


def emit_rules(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields the table, keyed by message full name; messages without rules are left out."""
    lines = [
        module_header(
            "Constraints of the contract, by message.",
            "Owns what is valid. Must never know who asks.",
        )
        + BODY.rstrip("\n")
    ]
    ruled = _ruled(contract)
    for message in contract.messages:
        if message.full_name not in ruled:
            continue
        lines.append(f"    {quoted(message.full_name)}: (")
        for field in message.fields:
            if field.rule != RuleSpec() or field.type_name in ruled:
                lines += _rule(contract, field, ruled)
        lines.append("    ),")
    yield "titan/rules.py", "\n".join([*lines, "}"]) + "\n"


def _ruled(contract: Contract) -> frozenset[str]:
    """Messages with a rule of their own or one below them."""
    found = {m.full_name for m in contract.messages if any(f.rule != RuleSpec() for f in m.fields)}
    while True:
        more = {m.full_name for m in contract.messages if _reaches(m, found)} - found
        if not more:
            return frozenset(found)
        found |= more


def _reaches(message: MessageSpec, found: set[str]) -> bool:
    return any(f.type_name in found for f in message.fields)


def _rule(contract: Contract, field: FieldSpec, ruled: frozenset[str]) -> list[str]:
    rule = field.rule
    parts = [f"name={quoted(field.name)}", f"number={field.number}"]
    parts += [f"{flag}=True" for flag in ("repeated", "optional") if getattr(field, flag)]
    parts += ["required=True"] if rule.required else []
    parts += [f"min={rule.min}"] if rule.min is not None else []
    parts += [f"max={rule.max}"] if rule.max is not None else []
    parts += [f"length={rule.len}"] if rule.len else []
    parts += [f"max_length={rule.max_len}"] if rule.max_len else []
    parts += [f"max_items={rule.max_items}"] if rule.max_items else []
    if rule.defined_only:
        numbers = tuple_of(str(n) for _, n in contract.enum(field.type_name).values)
        parts.append(f"values=frozenset({numbers})")
    if rule.charset == "*":
        parts.append("characters=PRINTABLE_CHARACTERS")
    elif rule.charset:
        parts.append(f"characters=TOKEN_CHARACTERS | frozenset({quoted(rule.charset)})")
    elif rule.charset is not None:
        parts.append("characters=TOKEN_CHARACTERS")
    parts += [f"message={quoted(field.type_name)}"] if field.type_name in ruled else []
    parts += [f"oneof={quoted(field.oneof)}"] if field.oneof else []
    return ["        FieldRule(", *(f"            {part}," for part in parts), "        ),"]
