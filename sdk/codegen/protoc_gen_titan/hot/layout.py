"""C structs of hot messages: members, their order, and how codec code reaches them.

Owns the layout. Must never know how bytes are read or written.
"""

from __future__ import annotations

from protoc_gen_titan.model import FieldSpec, MessageSpec, snake

VERBS = ("size", "put", "decode", "check")
INT_TYPES = {
    "int32": "int32_t",
    "int64": "int64_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
    "bool": "bint",
    "enum": "int32_t",
}


def by_dependency(messages: list[MessageSpec]) -> list[MessageSpec]:
    """Embedded messages before those that embed them."""
    done: list[MessageSpec] = []
    left = list(messages)
    while left:
        names = {m.full_name for m in left}
        ready = [m for m in left if not embedded(m) & names]
        if not ready:
            raise ValueError(f"hot messages embed each other: {sorted(names)}")
        done += ready
        left = [m for m in left if m not in ready]
    return done


def embedded(message: MessageSpec) -> set[str]:
    """Full names of the messages whose codec this one's calls."""
    return {f.type_name for f in message.fields if f.kind == "message" and f.hot != "slice"}


def skipped(message: MessageSpec) -> list[FieldSpec]:
    """The fields that are judged but not kept."""
    return [f for f in message.fields if f.hot == "skip"]


def coded(message: MessageSpec) -> list[FieldSpec]:
    """The fields that the hot codec knows."""
    return [f for f in message.fields if f.hot != "skip"]


def inner(field: FieldSpec) -> str:
    """Suffix of the functions of a sub-message."""
    return snake(field.type_name.rpartition(".")[2])


def bound(field: FieldSpec) -> int:
    """Capacity of a string or bytes member."""
    return field.rule.len or field.rule.max_len


def access(field: FieldSpec) -> str:
    """The member's place, seen from pointer m."""
    return f"m.{field.oneof}.{field.name}" if field.oneof else f"m.{field.name}"


def present(field: FieldSpec) -> str:
    """Condition under which the field is on the wire."""
    if field.oneof:
        return f"m.{field.oneof}_case == {field.number}"
    suffix, prefix = "", ""
    if field.kind == "message" and field.repeated:
        suffix = "_count"
    elif field.optional or (field.kind == "message" and not field.repeated):
        prefix = "has_"
    elif field.hot == "slice":
        suffix = ".size"
    elif field.kind in {"string", "bytes"}:
        suffix = "_len"
    return f"m.{prefix}{field.name}{suffix}"


def emit_struct(message: MessageSpec) -> list[str]:
    """Unions and struct; large members last, where clearing does not reach them."""
    lines = []
    oneofs = _oneofs(message)
    for oneof, fields in oneofs.items():
        lines += ["", f"cdef union {message.name}_{oneof}:"]
        lines += [f"    {member}" for field in fields for member in _members(field)]
    lines += ["", f"cdef struct {message.name}:"]
    late = [f for f in coded(message) if _is_array(f)]
    for field in coded(message):
        if not field.oneof and field not in late:
            lines += [f"    {member}" for member in _members(field)]
    lines += [f"    int32_t {oneof}_case" for oneof in oneofs]
    lines += [f"    uint32_t {field.name}_count" for field in late]
    lines += [f"    {message.name}_{oneof} {oneof}" for oneof in oneofs]
    lines += [f"    {member}" for field in late for member in _members(field)]
    if not coded(message):
        lines.append("    bint empty")
    return lines


def emit_clear(message: MessageSpec) -> str:
    """Zeroes everything but the large members, whose count or case says what is valid."""
    oneofs = _oneofs(message)
    late = [f for f in coded(message) if _is_array(f)]
    first = next(iter(oneofs), "") or (f"{late[0].name}[0]" if late else "")
    if not first:
        return f"memset(m, 0, sizeof({message.name}))"
    return f"memset(m, 0, <size_t>(<char *>&m.{first} - <char *>m))"


def _oneofs(message: MessageSpec) -> dict[str, list[FieldSpec]]:
    groups: dict[str, list[FieldSpec]] = {}
    for field in coded(message):
        if field.oneof:
            groups.setdefault(field.oneof, []).append(field)
    return groups


def _is_array(field: FieldSpec) -> bool:
    return field.repeated and field.kind == "message" and field.hot == "expand"


def _members(field: FieldSpec) -> list[str]:
    name = field.name
    flag = [] if field.oneof else [f"bint has_{name}"]
    if field.hot == "slice":
        return [f"Slice {name}", *(flag if field.kind == "message" or field.optional else [])]
    if field.kind == "message":
        struct = field.type_name.rpartition(".")[2]
        if field.repeated:
            return [f"{struct} {name}[{field.rule.max_items}]"]
        return [f"{struct} {name}", *flag]
    if field.kind in {"string", "bytes"}:
        members = [f"uint8_t {name}[{bound(field)}]", f"uint32_t {name}_len"]
    else:
        members = [f"{INT_TYPES[field.kind]} {name}"]
    return [*members, *(flag if field.optional else [])]
