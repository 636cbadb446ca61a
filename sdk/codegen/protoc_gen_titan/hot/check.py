"""Cython rule checks of hot messages, apart from parsing so that trusted bytes can skip them.

Owns the judgement of values. It agrees with titan.rules on every message. Must never
know how bytes are parsed.
"""

from __future__ import annotations

from protoc_gen_titan.hot.layout import access, coded, inner, present
from protoc_gen_titan.model import Contract, FieldSpec, MessageSpec, snake

TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
PRINTABLE = "".join(chr(code) for code in range(32, 127))


def emit_check(contract: Contract, message: MessageSpec) -> list[str]:
    """`check_x`."""
    lines = [
        f"cdef inline int32_t check_{snake(message.name)}(const {message.name} *m) noexcept nogil:",
        '    """0, or the number of the first field that breaks its rule; sub-messages add 1000 x '
        'their own."""',
    ]
    body: list[str] = []
    for field in coded(message):
        body += ["    " + line for line in _check(contract, field)]
    if any("inner" in line for line in body):
        lines.append("    cdef int32_t inner")
    if any("for i in" in line for line in body):
        lines.append("    cdef uint32_t i")
    return [*lines, *body, "    return 0"]


def _check(contract: Contract, field: FieldSpec) -> list[str]:
    lines = []
    if field.rule.required and (field.kind == "message" or field.repeated or field.optional):
        lines += [f"if not ({present(field)}):", f"    return {field.number}"]
    if field.kind == "message":
        return lines + (_check_message(field) if field.hot == "expand" else [])
    guard = f"{present(field)} and " if field.oneof or field.optional else ""
    fails = _packed(field) if field.repeated else _scalar(contract, field)
    for fail in fails:
        lines += [f"if {guard}({fail}):", f"    return {field.number}"]
    return lines


def _packed(field: FieldSpec) -> list[str]:
    if not field.rule.max_items:
        return []
    return [f"count_packed(m.{field.name}) > {field.rule.max_items}"]


def _scalar(contract: Contract, field: FieldSpec) -> list[str]:
    rule, place, fails = field.rule, access(field), []
    if field.kind in {"string", "bytes"}:
        size = f"{place}.size" if field.hot == "slice" else f"{place}_len"
        data = f"{place}.data" if field.hot == "slice" else place
        if rule.required:
            fails.append(f"{size} == 0")
        if rule.len:
            fails.append(f"{size} != 0 and {size} != {rule.len}")
        if rule.max_len and field.hot == "slice":
            fails.append(f"{size} > {rule.max_len}")
        if rule.charset is not None:
            low, high = _masks(rule.charset)
            fails.append(f"not in_charset({data}, {size}, {low:#x}ULL, {high:#x}ULL)")
        elif field.kind == "string":
            fails.append(f"not is_utf8({data}, {size})")
        return fails
    if rule.required:
        fails.append(f"{place} == 0")
    if rule.min is not None and not (field.kind.startswith("u") and rule.min <= 0):
        fails.append(f"{place} < {_literal(rule.min)}")
    if rule.max is not None:
        fails.append(f"{place} > {_literal(rule.max)}")
    if rule.defined_only:
        values = ", ".join(str(n) for _, n in contract.enum(field.type_name).values)
        fails.append(f"{place} not in ({values})")
    return fails


def _literal(value: int) -> str:
    """A C constant; Cython turns bare numbers beyond 32 bits into Python objects."""
    return str(value) if -(1 << 31) <= value < 1 << 31 else f"{value}LL"


def _masks(charset: str) -> tuple[int, int]:
    """Allowed characters as two words of 64 bits, for codes 0-63 and 64-127."""
    allowed = PRINTABLE if charset == "*" else TOKEN + charset
    word = sum(1 << code for code in {ord(character) for character in allowed})
    return word & (1 << 64) - 1, word >> 64


def _check_message(field: FieldSpec) -> list[str]:
    call = f"check_{inner(field)}(&{access(field)}{'[i]' if field.repeated else ''})"
    opening = (
        f"for i in range(m.{field.name}_count):" if field.repeated else f"if {present(field)}:"
    )
    return [
        opening,
        f"    inner = {call}",
        "    if inner:",
        f"        return {field.number} + 1000 * inner",
    ]
