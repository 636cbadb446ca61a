"""Cython encoders of hot messages: exact sizes and straight-line writing in field order.

Owns the bytes that leave. They equal protobuf's deterministic serialisation. Must never
know rules.
"""

from __future__ import annotations

from protoc_gen_titan.hot.layout import access, bound, coded, inner, present
from protoc_gen_titan.model import Contract, FieldSpec, MessageSpec, snake
from protoc_gen_titan.wire import tag_bytes

ONE_BYTE = 128
VARINT_LIMIT = {"bool": 1, "uint32": 5}
PAD = " " * 8


def emit_size(message: MessageSpec) -> list[str]:
    """`size_x`: exact number of encoded bytes."""
    body: list[str] = []
    for field in coded(message):
        body += [f"    if {present(field)}:", *(PAD + line for line in _size(field))]
    lines = [
        f"cdef inline uint32_t size_{snake(message.name)}(const {message.name} *m) noexcept nogil:",
        "    cdef uint32_t size = 0",
    ]
    if any("part" in line for line in body):
        lines.append("    cdef uint32_t part")
    if any("for i in" in line for line in body):
        lines.append("    cdef uint32_t i")
    return [*lines, *body, "    return size"]


def _size(field: FieldSpec) -> list[str]:
    place, tag = access(field), len(tag_bytes(field))
    if field.hot == "slice":
        return [f"size += {tag} + varint_size({place}.size) + {place}.size"]
    if field.kind == "message":
        item = f"{place}[i]" if field.repeated else place
        lines = [
            f"part = size_{inner(field)}(&{item})",
            f"size += {tag} + varint_size(part) + part",
        ]
        if not field.repeated:
            return lines
        return [f"for i in range(m.{field.name}_count):", *("    " + line for line in lines)]
    if field.kind in {"string", "bytes"}:
        prefix = "1" if bound(field) < ONE_BYTE else f"varint_size({place}_len)"
        return [f"size += {tag} + {prefix} + {place}_len"]
    if field.kind == "bool":
        return [f"size += {tag + 1}"]
    return [f"size += {tag} + varint_size({_varint(field, place)})"]


def emit_encode(contract: Contract, message: MessageSpec) -> list[str]:
    """`put_x` and `encode_x`."""
    name = snake(message.name)
    body: list[str] = []
    for field in coded(message):
        body += [f"    if {present(field)}:", *(PAD + line for line in _put(contract, field))]
    lines = [
        f"cdef inline uint8_t *put_{name}(const {message.name} *m, uint8_t *p) noexcept nogil:",
        f'    """Writes size_{name}(m) bytes and answers the end."""',
    ]
    if any("for i in" in line for line in body):
        lines.append("    cdef uint32_t i")
    if any("start" in line for line in body):
        lines.append("    cdef uint8_t *start")
    lines += [*body, "    return p", ""]
    most = largest(contract, message)
    fits = f"cap < {most} and " if most is not None else ""
    guard = [f"    if {fits}size_{name}(m) > cap:", "        return -1"] if most != 0 else []
    return [
        *lines,
        f"cdef inline int64_t encode_{name}(const {message.name} *m, uint8_t *out, uint64_t cap) "
        "noexcept nogil:",
        '    """Number of bytes written, or -1 when cap is too small."""',
        *guard,
        f"    return put_{name}(m, out) - out",
    ]


def largest(contract: Contract, message: MessageSpec) -> int | None:
    """Most bytes that the message can take, or None when a slice makes it open-ended."""
    total = 0
    for field in coded(message):
        if field.hot == "slice":
            return None
        tag = len(tag_bytes(field))
        if field.kind == "message":
            part = largest(contract, contract.message(field.type_name))
            if part is None:
                return None
            total += (tag + _varint_bytes(part) + part) * (field.rule.max_items or 1)
        elif field.kind in {"string", "bytes"}:
            total += tag + _varint_bytes(bound(field)) + bound(field)
        else:
            total += tag + VARINT_LIMIT.get(field.kind, 10)
    return total


def _varint_bytes(value: int) -> int:
    return max(1, (value.bit_length() + 6) // 7)


def _put(contract: Contract, field: FieldSpec) -> list[str]:
    place = access(field)
    octets = tag_bytes(field)
    tag = [f"p[{i}] = {octet}" for i, octet in enumerate(octets)]
    moved = [*tag, f"p += {len(octets)}"]
    if field.hot == "slice":
        return [*moved, f"p = put_bytes(p, {place}.data, {place}.size)"]
    if field.kind == "message":
        if not field.repeated:
            return _put_message(contract, field, moved, place)
        loop = _put_message(contract, field, moved, f"{place}[i]")
        return [f"for i in range(m.{field.name}_count):", *("    " + line for line in loop)]
    if field.kind in {"string", "bytes"}:
        verb = "put_short" if bound(field) < ONE_BYTE else "put_bytes"
        return [*moved, f"p = {verb}(p, {place}, {place}_len)"]
    if field.kind == "bool":
        return [*tag, f"p[{len(octets)}] = 1 if {place} else 0", f"p += {len(octets) + 1}"]
    return [*moved, f"p = put_varint(p, {_varint(field, place)})"]


def _put_message(contract: Contract, field: FieldSpec, tag: list[str], place: str) -> list[str]:
    name = inner(field)
    most = largest(contract, contract.message(field.type_name))
    if most is not None and most < ONE_BYTE:  # the length is one byte, known after the fact
        return [
            *tag,
            "start = p",
            f"p = put_{name}(&{place}, p + 1)",
            "start[0] = <uint8_t>(p - start - 1)",
        ]
    return [*tag, f"p = put_varint(p, size_{name}(&{place}))", f"p = put_{name}(&{place}, p)"]


def _varint(field: FieldSpec, place: str) -> str:
    if field.kind in {"int32", "enum"}:
        return f"<uint64_t><int64_t>{place}"
    return f"<uint64_t>{place}"
