"""Straight-line Python codecs over the SDK's dataclasses, for hot messages and bus events.

Owns the generated module `_pb/hot.py`. Must never know what the messages mean. A decoder tests
the tags in field order, so that a message written in order costs one comparison per field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protoc_gen_titan.check_hot import coded_messages
from protoc_gen_titan.emit.messages import field_name
from protoc_gen_titan.model import Contract, FieldSpec, MessageSpec, snake
from protoc_gen_titan.text import GENERATED, quoted, static_text, tuple_of
from protoc_gen_titan.wire import SIGNED_LIMIT, UNSIGNED_LIMIT, field_tag, tag_bytes

HEADER = f'''\
"""Fast encoders and decoders over the generated dataclasses, byte-equal to bytes(message).

Owns the codec of hot messages and events in Python. Decoders refuse truncation, overlong varints,
known fields with a foreign wire type, repeated sub-messages and undeclared values of closed enums.
{GENERATED}
"""

from __future__ import annotations

'''


def emit_hot_python(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields hot.py."""
    wanted = coded_messages(contract)
    packages = {m.package for m in wanted}
    lines = [
        f"from titan_sdk._pb.{p.rpartition('.')[0]} import v1 as {_alias(p)}"
        for p in sorted(packages)
    ]
    lines += ["", "", static_text("hot", "hot_prelude.py.txt").rstrip("\n")]
    lines += ["", "", *_enum_tables(contract, wanted)]
    for message in wanted:
        lines += ["", "", *_encoder(message), "", "", *_decoder(contract, message)]
    yield "hot.py", HEADER + "\n".join(lines) + "\n"


def _alias(package: str) -> str:
    return package.removeprefix("titan.").replace(".", "_")


def _class(full_name: str) -> str:
    package, _, name = full_name.rpartition(".")
    return f"{_alias(package)}.{name}"


def _table(enum: str) -> str:
    return "_" + _alias(enum).upper()


def _enum_tables(contract: Contract, wanted: list[MessageSpec]) -> list[str]:
    used = sorted({f.type_name for m in wanted for f in m.fields if f.kind == "enum"})
    return [f"{_table(e)} = {{int(value): value for value in {_class(e)}}}" for e in used]


def _encoder(message: MessageSpec) -> list[str]:
    name = snake(message.name)
    lines = [
        f"def encode_{name}(message: {_class(message.full_name)}) -> bytes:",
        f'    """Encodes {message.name}."""',
        "    out = bytearray()",
    ]
    for oneof in dict.fromkeys(f.oneof for f in message.fields if f.oneof):
        members = ", ".join(
            f"message.{field_name(f.name)}" for f in message.fields if f.oneof == oneof
        )
        lines += [
            f"    if sum(value is not None for value in ({members})) > 1:",
            f'        raise HotCodecError("TWO_MEMBERS", "{message.name}.{oneof}")',
        ]
    for field in message.fields:
        lines += _put(message, field)
    return [*lines, "    out += message._unknown_fields", "    return bytes(out)"]


def _put(message: MessageSpec, field: FieldSpec) -> list[str]:
    tag = "b" + '"' + "".join(f"\\x{b:02x}" for b in tag_bytes(field)) + '"'
    attribute = f"message.{field_name(field.name)}"
    label = quoted(f"{message.name}.{field.name}")
    if field.repeated and field.kind in {"string", "bytes", "message"}:
        return [
            f"    for value in {attribute}:",
            f"        out += {tag}",
            *("        " + line for line in _put_delimited(field)),
        ]
    if field.repeated:
        return [
            f"    if values := {attribute}:",
            "        part = bytearray()",
            "        for value in values:",
            "            " + _put_number(field, "part", label),
            f"        out += {tag}",
            "        _put(out, len(part))",
            "        out += part",
        ]
    present = " is not None" if field.optional or field.oneof or field.kind == "message" else ""
    lines = [f"    if (value := {attribute}){present}:", f"        out += {tag}"]
    if not present:
        lines[0] = f"    if value := {attribute}:"
    if field.kind in {"string", "bytes", "message"}:
        return lines + ["        " + line for line in _put_delimited(field)]
    return [*lines, "        " + _put_number(field, "out", label)]


def _put_delimited(field: FieldSpec) -> list[str]:
    source = {
        "bytes": "value",
        "string": "value.encode()",
        "message": f"encode_{snake(field.type_name.rpartition('.')[2])}(value)",
    }[field.kind]
    lines = [] if source == "value" else [f"part = {source}"]
    part = "value" if source == "value" else "part"
    return [*lines, f"_put(out, len({part}))", f"out += {part}"]


def _put_number(field: FieldSpec, out: str, label: str) -> str:
    if field.kind == "bool":
        return f"{out}.append(1 if value else 0)"
    if field.kind in UNSIGNED_LIMIT:
        return f"_put_unsigned({out}, value, {UNSIGNED_LIMIT[field.kind]}, {label})"
    return f"_put_signed({out}, value, {SIGNED_LIMIT[field.kind]}, {label})"


def _decoder(contract: Contract, message: MessageSpec) -> list[str]:
    name = snake(message.name)
    kind = _class(message.full_name)
    numbers = _frozen(f.number for f in message.fields)
    tags = _frozen(field_tag(f) for f in message.fields)
    lines = [
        f"_{name.upper()}_NUMBERS = {numbers}",
        f"_{name.upper()}_TAGS = {tags}",
        "",
        "",
        f"def decode_{name}(data: bytes) -> {kind}:",
        f'    """Decodes {message.name}; bytes that are not one raise HotCodecError."""',
        f"    message = {kind}.__new__({kind})",
        "    fields = message.__dict__",
        *_defaults(message),
        "    end = len(data)",
        "    if not end:",
        "        return message",
        "    at = 0",
        "    try:",
        *("        " + line for line in _next_tag()),
        "        while True:",
    ]
    for field in message.fields:
        word = "while" if field.repeated else "if"
        lines.append(f"            {word} tag == {field_tag(field)}:")
        lines += [" " * 16 + line for line in _take(message, field)]
        lines += [" " * 16 + line for line in ("if at == end:", "    return message", *_next_tag())]
    return [
        *lines,
        f"            if tag in _{name.upper()}_TAGS:",
        "                continue",
        f'            stop = _skip(data, at, tag, _{name.upper()}_NUMBERS, "{message.name}")',
        '            fields["_unknown_fields"] += _unknown(tag, data, at, stop)',
        "            at = stop",
        "            if at == end:",
        "                return message",
        *(" " * 12 + line for line in _next_tag()),
        "    except IndexError:",
        f'        raise HotCodecError("TRUNCATED", "{message.name}") from None',
    ]


def _frozen(numbers: Iterable[int]) -> str:
    return f"frozenset({tuple_of(str(n) for n in numbers)})"


def _next_tag() -> list[str]:
    return [
        "tag = data[at]",
        "at += 1",
        "if tag > 127:",
        "    tag, at = _take(data, at, tag)",
    ]


def _defaults(message: MessageSpec) -> list[str]:
    lines = []
    for field in message.fields:
        if field.repeated:
            value = "[]"
        elif field.optional or field.oneof or field.kind == "message":
            value = "None"
        elif field.kind == "enum":
            value = f"{_table(field.type_name)}[0]"
        else:
            value = {"string": '""', "bytes": 'b""', "bool": "False"}.get(field.kind, "0")
        lines.append(f'    fields["{field_name(field.name)}"] = {value}')
    return [*lines, '    fields["_unknown_fields"] = b""']


def _take(message: MessageSpec, field: FieldSpec) -> list[str]:
    label = quoted(f"{message.name}.{field.name}")
    slot = f'fields["{field_name(field.name)}"]'
    number = [
        "value = data[at]",
        "at += 1",
        "if value > 127:",
        "    value, at = _take(data, at, value)",
    ]
    if not (field.repeated or field.kind in {"string", "bytes", "message"}):
        return [
            *number,
            *_convert(field, label),
            *_clear_others(message, field),
            f"{slot} = {_final(field)}",
        ]
    lines = [
        *(line.replace("value", "size") for line in number),
        "stop = at + size",
        "if stop > end:",
        f'    raise HotCodecError("TRUNCATED", {label})',
    ]
    if field.kind not in {"string", "bytes", "message"}:
        return [
            *lines,
            f"values = {slot}",
            "while at < stop:",
            *("    " + line for line in number),
            *("    " + line for line in _convert(field, label)),
            f"    values.append({_final(field)})",
            "if at != stop:",
            f'    raise HotCodecError("TRUNCATED", {label})',
        ]
    if field.kind == "message":
        value = f"decode_{snake(field.type_name.rpartition('.')[2])}(data[at:stop])"
        if not field.repeated:
            lines += [
                f"if {slot} is not None:",
                f'    raise HotCodecError("REPEATED_FIELD", {label})',
            ]
    else:
        value = "data[at:stop]" if field.kind == "bytes" else f"_text(data[at:stop], {label})"
    lines += _clear_others(message, field)
    lines.append(f"{slot}.append({value})" if field.repeated else f"{slot} = {value}")
    return [*lines, "at = stop"]


def _clear_others(message: MessageSpec, field: FieldSpec) -> list[str]:
    """Two members of one oneof: the last wins, as protobuf says."""
    if not field.oneof:
        return []
    others = [f for f in message.fields if f.oneof == field.oneof and f is not field]
    return [f'fields["{field_name(f.name)}"] = None' for f in others]


def _convert(field: FieldSpec, label: str) -> list[str]:
    if field.kind == "int64":
        return ["if value > 9223372036854775807:", "    value -= 18446744073709551616"]
    if field.kind in {"int32", "enum"}:
        lines = [
            "if value > 2147483647:",
            "    value &= 4294967295",
            "    if value > 2147483647:",
            "        value -= 4294967296",
        ]
        if field.kind == "enum" and field.rule.defined_only:
            lines += [
                f"if value not in {_table(field.type_name)}:",
                f'    raise HotCodecError("UNKNOWN_ENUM", {label}, value)',
            ]
        return lines
    if field.kind == "uint32":
        return ["value &= 4294967295"]
    return []


def _final(field: FieldSpec) -> str:
    if field.kind == "bool":
        return "value != 0"
    if field.kind != "enum":
        return "value"
    table = _table(field.type_name)
    if field.rule.defined_only:
        return f"{table}[value]"
    return f"{table}[value] if value in {table} else {_class(field.type_name)}(value)"
