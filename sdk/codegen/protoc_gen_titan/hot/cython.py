"""Straight-line Cython encoders and decoders for messages marked hot: the files and C structs.

Owns the layout of gen/cython. Must never know what the messages mean. One `.pxd` per proto file,
all functions inline, noexcept, nogil, without allocation.
"""

from __future__ import annotations

from collections.abc import Iterator

from protoc_gen_titan.hot.check import emit_check
from protoc_gen_titan.hot.decode import emit_decode
from protoc_gen_titan.hot.encode import emit_encode, emit_size
from protoc_gen_titan.hot.layout import VERBS, by_dependency, embedded, emit_struct
from protoc_gen_titan.model import Contract, EnumSpec, MessageSpec, snake
from protoc_gen_titan.text import GENERATED, static_text

BANNER = f"# cython: language_level=3\n# {GENERATED}\n"


def emit_hot_cython(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields (path below gen/cython, content)."""
    yield "titan/wire.pxd", BANNER + static_text("hot", "wire.pxd.txt")
    files = sorted({m.file for m in contract.messages} | {e.file for e in contract.enums})
    packages = {"titan/__init__.pxd"}
    for file in files:
        parts = file.split("/")[:-1]
        packages |= {"/".join([*parts[: i + 1], "__init__.pxd"]) for i in range(len(parts))}
        enums = [e for e in contract.enums if e.file == file]
        if enums:
            yield file.replace(".proto", "_enums.pxd"), _enums_file(enums)
        hot = by_dependency([m for m in contract.messages if m.file == file and m.hot])
        if hot:
            yield file.replace(".proto", "_hot.pxd"), _hot_file(contract, file, hot)
    for package in sorted(packages):
        yield package, ""


def _enums_file(enums: list[EnumSpec]) -> str:
    lines = [BANNER]
    for enum in enums:
        lines.append(f"\ncdef enum {enum.name}:")
        lines += [f"    {name} = {number}" for name, number in enum.values]
        lines.append("")
    return "\n".join(lines)


def _hot_file(contract: Contract, file: str, messages: list[MessageSpec]) -> str:
    lines = [
        BANNER,
        "from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uint8_t",
        "from libc.string cimport memcpy, memset",
        "from titan.wire cimport (",
        "    WIRE_BAD_TAG, WIRE_BAD_TYPE, WIRE_REPEATED, WIRE_SKIPPED_INVALID, WIRE_TOO_LONG,",
        "    WIRE_TRUNCATED, Slice, count_packed, get_length, get_varint, in_charset, is_utf8,",
        "    put_bytes, put_short, put_varint, skip_field, varint_size,",
        ")",
    ]
    wanted = {name for message in messages for name in embedded(message)}
    for other in sorted({contract.message(name).file for name in wanted} - {file}):
        names = sorted(n.rpartition(".")[2] for n in wanted if contract.message(n).file == other)
        symbols = [*names, *(f"{verb}_{snake(name)}" for name in names for verb in VERBS)]
        module = other.replace("/", ".").replace(".proto", "_hot")
        lines.append(f"from {module} cimport {', '.join(symbols)}")
    for message in messages:
        lines += ["", *emit_struct(message), "", *emit_size(message)]
        lines += ["", *emit_encode(contract, message), "", *emit_decode(message)]
        lines += ["", *emit_check(contract, message)]
    return "\n".join(lines) + "\n"
