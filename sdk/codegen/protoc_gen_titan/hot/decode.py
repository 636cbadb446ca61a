"""Cython decoders of hot messages: one switch over tags.

Owns what bytes are taken. Must never know what a field means. Parses only: hot/check.py judges
values, save those of skipped fields, which no struct keeps. Unknown fields are skipped. Known
numbers with a foreign wire type and sub-messages that come twice are refused, because no encoder
of the contract writes them and protobuf families treat them differently.
"""

from __future__ import annotations

from protoc_gen_titan.hot.layout import (
    INT_TYPES,
    access,
    bound,
    coded,
    emit_clear,
    inner,
    skipped,
)
from protoc_gen_titan.model import FieldSpec, MessageSpec, snake
from protoc_gen_titan.wire import DELIMITED, field_tag

ASK = ("if code:", "    return code")


def emit_decode(message: MessageSpec) -> list[str]:
    """`decode_x`."""
    lines = [
        f"cdef inline int decode_{snake(message.name)}(const uint8_t *data, uint64_t size, "
        f"{message.name} *m) noexcept nogil:",
        '    """WIRE_OK or a negative WireCode. Parses only; check_ judges the values."""',
        "    cdef const uint8_t *at = data",
        "    cdef const uint8_t *end = data + size",
        "    cdef uint64_t tag, value",
        "    cdef uint32_t length",
        "    cdef int code",
        *_scratch(message),
        f"    {emit_clear(message)}",
        "    while at != end:",
        "        tag = at[0]",
        "        if tag < 128:",
        "            at += 1",
        "        else:",
        "            code = get_varint(&at, end, &tag)",
        "            if code:",
        "                return code",
    ]
    word = "if"
    for field in (*coded(message), *skipped(message)):
        lines.append(f"        {word} tag == {field_tag(field)}:")
        lines += [" " * 12 + line for line in _take(field)]
        word = "elif"
    fallback = [
        "if tag < 8 or tag >> 32:",
        "    return WIRE_BAD_TAG",
        *_refuse_known(message),
        "code = skip_field(&at, end, <uint32_t>(tag & 7))",
        *ASK,
    ]
    if word == "elif":
        lines.append("        else:")
    pad = " " * (12 if word == "elif" else 8)
    return [*lines, *(pad + line for line in fallback), "    return 0"]


def _refuse_known(message: MessageSpec) -> list[str]:
    known = message.fields
    if not known:
        return []
    mask = sum(1 << field.number for field in known)
    return [f"if tag < 512 and ({mask:#x}ULL >> (tag >> 3)) & 1:", "    return WIRE_BAD_TYPE"]


def _take(field: FieldSpec) -> list[str]:
    place = access(field)
    if not (field.repeated or field.kind in DELIMITED):
        return [
            "if at != end and at[0] < 128:",
            "    value = at[0]",
            "    at += 1",
            "else:",
            "    code = get_varint(&at, end, &value)",
            "    if code:",
            "        return code",
            f"{place} = {_value(field)}",
            *_mark(field),
        ]
    lines = [
        "if at != end and at[0] < 128:",
        "    length = at[0]",
        "    at += 1",
        "    if <uint64_t>(end - at) < length:",
        "        return WIRE_TRUNCATED",
        "else:",
        "    code = get_length(&at, end, &length)",
        "    if code:",
        "        return code",
    ]
    if field.hot == "skip":
        return [*lines, *_judge(field), "at += length"]
    if field.hot == "slice":
        lines += [*_refuse_twice(field), f"{place}.data = at", f"{place}.size = length"]
    elif field.kind == "message":
        lines += _take_message(field, place)
    else:
        lines += _take_bytes(field, place)
    return [*lines, "at += length", *_mark(field)]


def _scratch(message: MessageSpec) -> list[str]:
    lines = []
    for field in skipped(message):
        lines.append(f"    cdef {field.type_name.rpartition('.')[2]} {field.name}")
        lines.append(f"    cdef uint32_t {field.name}_count = 0")
    return lines


def _judge(field: FieldSpec) -> list[str]:
    """What is not kept must still be sound: others will decode the same bytes."""
    lines = []
    if field.rule.max_items or not field.repeated:
        lines += [
            f"if {field.name}_count == {field.rule.max_items or 1}:",
            "    return WIRE_TOO_LONG",
        ]
    return [
        *lines,
        f"{field.name}_count += 1",
        f"code = decode_{inner(field)}(at, length, &{field.name})",
        *ASK,
        f"if check_{inner(field)}(&{field.name}):",
        "    return WIRE_SKIPPED_INVALID",
    ]


def _value(field: FieldSpec) -> str:
    return "value != 0" if field.kind == "bool" else f"<{INT_TYPES[field.kind]}>value"


def _take_bytes(field: FieldSpec, place: str) -> list[str]:
    lines = [f"if length > {bound(field)}:", "    return WIRE_TOO_LONG"]
    if field.rule.len:  # the exact length is the common case: a copy of constant size
        lines += [
            f"if length == {field.rule.len}:",
            f"    memcpy({place}, at, {field.rule.len})",
            "else:",
            f"    memcpy({place}, at, length)",
        ]
    else:
        lines.append(f"memcpy({place}, at, length)")
    return [*lines, f"{place}_len = length"]


def _take_message(field: FieldSpec, place: str) -> list[str]:
    if field.repeated:
        return [
            f"if m.{field.name}_count == {field.rule.max_items}:",
            "    return WIRE_TOO_LONG",
            f"code = decode_{inner(field)}(at, length, &{place}[m.{field.name}_count])",
            *ASK,
            f"m.{field.name}_count += 1",
        ]
    return [
        *_refuse_twice(field),
        f"code = decode_{inner(field)}(at, length, &{place})",
        *ASK,
    ]


def _refuse_twice(field: FieldSpec) -> list[str]:
    if field.repeated:
        return [f"if m.{field.name}.size:", "    return WIRE_REPEATED"]
    if field.kind != "message":
        return []
    seen = f"m.{field.oneof}_case" if field.oneof else f"m.has_{field.name}"
    return [f"if {seen}:", "    return WIRE_REPEATED"]


def _mark(field: FieldSpec) -> list[str]:
    if field.oneof:
        return [f"m.{field.oneof}_case = {field.number}"]
    flagged = field.optional or (field.kind == "message" and not field.repeated)
    return [f"m.has_{field.name} = True"] if flagged else []
