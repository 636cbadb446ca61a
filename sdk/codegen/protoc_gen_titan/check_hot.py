"""Refuses messages that the hot codecs cannot carry.

Owns the limits of those codecs. Must never know bus facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from protoc_gen_titan.model import Contract, FieldSpec, MessageSpec, snake
from protoc_gen_titan.wire import CODED_KINDS

LARGEST_NUMBER = 63


def coded_messages(contract: Contract) -> list[MessageSpec]:
    """Hot messages, events, and everything below them: what the Python codec carries."""
    wanted = {m.full_name for m in contract.messages if m.hot}
    wanted |= {e.message.full_name for e in contract.events}
    pending = list(wanted)
    while pending:
        for field in contract.message(pending.pop()).fields:
            if field.kind == "message" and field.type_name not in wanted:
                wanted.add(field.type_name)
                pending.append(field.type_name)
    return [m for m in contract.messages if m.full_name in wanted]


def hot_mistakes(contract: Contract) -> Iterator[str]:
    """One line for each field or message that cannot be carried."""
    coded = coded_messages(contract)
    for name, count in Counter(snake(m.name) for m in coded).items():
        if count > 1:
            files = ", ".join(m.file for m in coded if snake(m.name) == name)
            yield f"{files}: {count} hot or event messages share the name {name!r}"
    for message in coded:
        for field in message.fields:
            if field.kind not in CODED_KINDS:
                where = f"{message.file}: {message.full_name}.{field.name}"
                yield f"{where}: {field.kind} is not carried by hot and event messages"
    hot = {m.full_name for m in contract.messages if m.hot}
    for message in contract.messages:
        for field in message.fields if message.hot else ():
            yield from _field(message, field, hot)


def _field(message: MessageSpec, field: FieldSpec, hot: set[str]) -> Iterator[str]:
    where = f"{message.file}: hot {message.full_name}.{field.name}"
    if field.number > LARGEST_NUMBER:
        yield f"{where}: field numbers above {LARGEST_NUMBER} are not hot"
    if field.hot == "skip":
        if field.kind != "message" or field.type_name not in hot:
            yield f"{where}: HOT_FIELD_SKIP is for messages marked hot, so that they are judged"
        return
    if field.hot == "slice":
        yield from _slice(where, field)
        return
    if field.kind in {"string", "bytes"} and not (field.rule.len or field.rule.max_len):
        yield f"{where} needs rule.len or rule.max_len"
    if field.kind == "message" and field.type_name not in hot:
        yield f"{where}: {field.type_name} is not hot; mark it, or use HOT_FIELD_SLICE"
    if field.kind == "message" and field.type_name == message.full_name:
        yield f"{where}: a hot message cannot contain itself"
    if field.repeated and field.kind != "message":
        yield f"{where}: repeated {field.kind} needs HOT_FIELD_SLICE"
    elif field.repeated and not field.rule.max_items:
        yield f"{where} needs rule.max_items"


def _slice(where: str, field: FieldSpec) -> Iterator[str]:
    if field.repeated and field.kind in {"string", "bytes", "message"}:
        yield f"{where}: repeated {field.kind} is no single slice"
    if not field.repeated and field.kind not in {"string", "bytes", "message"}:
        yield f"{where}: a single {field.kind} is no slice"
    rule = field.rule
    if field.repeated and (rule.min is not None or rule.max is not None or rule.defined_only):
        yield f"{where}: rules on the elements of a slice are not checked by the hot codec"
