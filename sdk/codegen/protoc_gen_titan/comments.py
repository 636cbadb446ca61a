"""Reads the comments of proto files.

Owns the mapping from full name to comment. Must never know what a comment is used for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from google.protobuf import descriptor_pb2

Path = tuple[int, ...]


def read_comments(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> Mapping[str, str]:
    """Leading comment of every message, field, enum, value, service and method, on one line."""
    found: dict[str, str] = {}
    for file in files:
        comments = {
            tuple(location.path): " ".join(location.leading_comments.split())
            for location in file.source_code_info.location
            if location.leading_comments
        }
        for path, name in _names(file):
            if path in comments:
                found[name] = comments[path]
    return found


def _names(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    for i, message in enumerate(file.message_type):
        name = f"{file.package}.{message.name}"
        yield (4, i), name
        yield from (((4, i, 2, j), f"{name}.{f.name}") for j, f in enumerate(message.field))
    for i, enum in enumerate(file.enum_type):
        name = f"{file.package}.{enum.name}"
        yield (5, i), name
        yield from (((5, i, 2, j), f"{name}.{v.name}") for j, v in enumerate(enum.value))
    for i, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (6, i), name
        yield from (((6, i, 2, j), f"{name}.{m.name}") for j, m in enumerate(service.method))
