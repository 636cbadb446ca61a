"""betterproto2 dataclasses for the SDK: runs that generator in process on a stripped request.

The only file that knows betterproto2's compiler and the shape of its output. Must never know
what the messages mean.
"""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import sys
from collections.abc import Iterator

from betterproto2_compiler.compile.naming import pythonize_field_name
from betterproto2_compiler.lib.google.protobuf.compiler import (
    CodeGeneratorRequest as CompilerRequest,
)
from betterproto2_compiler.plugin.parser import generate_code
from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2

OPTIONS_PREFIX = "titan/options/"
SETTINGS = "client_generation=none,server_generation=none"


def emit_messages(request: plugin_pb2.CodeGeneratorRequest) -> Iterator[tuple[str, str]]:
    """Yields (path below the SDK's _pb, content)."""
    stripped = _without_options(request)
    with _own_tools_on_path(), contextlib.redirect_stderr(io.StringIO()):
        answer = generate_code(CompilerRequest.parse(stripped.SerializeToString()))
    for file in sorted(answer.file, key=lambda f: f.name):
        if file.name == "__init__.py":
            yield file.name, '"""Generated messages of the contract. Do not edit."""\n'
        elif file.name.endswith("/__init__.py") and not file.content:
            yield file.name, '"""Generated. Do not edit."""\n'
        else:
            yield file.name, file.content


@contextlib.contextmanager
def _own_tools_on_path() -> Iterator[None]:
    """The generator calls `ruff` by its bare name; it stands beside the interpreter."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def field_name(name: str) -> str:
    """The dataclass attribute of a field."""
    return pythonize_field_name(name)


def _without_options(
    request: plugin_pb2.CodeGeneratorRequest,
) -> plugin_pb2.CodeGeneratorRequest:
    """Drops services, option files, their imports and every custom option.

    Without this the generator writes a google package of its own that shadows the real one.
    """
    kept = [f for f in request.proto_file if _is_ours(f.name)]
    stripped = plugin_pb2.CodeGeneratorRequest(parameter=SETTINGS)
    stripped.file_to_generate.extend(f.name for f in kept)
    for file in kept:
        copy = stripped.proto_file.add()
        copy.CopyFrom(file)
        copy.ClearField("service")
        copy.ClearField("options")
        copy.DiscardUnknownFields()
        imports = [name for name in file.dependency if _is_ours(name)]
        copy.ClearField("dependency")
        copy.dependency.extend(imports)
        _strip_messages(copy)
    return stripped


def _strip_messages(file: descriptor_pb2.FileDescriptorProto) -> None:
    for message in file.message_type:
        message.ClearField("options")
        for field in message.field:
            field.ClearField("options")
    for enum in file.enum_type:
        enum.ClearField("options")
        for value in enum.value:
            value.ClearField("options")


def _is_ours(name: str) -> bool:
    return name.startswith("titan/") and not name.startswith(OPTIONS_PREFIX)
