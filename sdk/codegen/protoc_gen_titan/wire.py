"""Facts of the protobuf wire format that both codec emitters need.

Owns tags and ranges. Must never know target languages.
"""

from __future__ import annotations

from protoc_gen_titan.model import FieldSpec

DELIMITED = frozenset({"string", "bytes", "message"})
SIGNED_LIMIT = {"int32": 1 << 31, "enum": 1 << 31, "int64": 1 << 63}
UNSIGNED_LIMIT = {"uint32": 1 << 32, "uint64": 1 << 64}
CODED_KINDS = DELIMITED | SIGNED_LIMIT.keys() | UNSIGNED_LIMIT.keys() | {"bool"}


def field_tag(field: FieldSpec) -> int:
    """Number and wire type of the field, lists packed."""
    return field.number << 3 | (2 if field.repeated or field.kind in DELIMITED else 0)


def tag_bytes(field: FieldSpec) -> list[int]:
    """The tag as it stands on the wire."""
    tag, out = field_tag(field), []
    while tag >= 0x80:
        out.append(tag & 0x7F | 0x80)
        tag >>= 7
    return [*out, tag]
