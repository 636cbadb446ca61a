"""Small planted contracts, compiled with the real option definitions."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from grpc_tools import protoc

REPOSITORY = pathlib.Path(__file__).parents[3]
HEADER = """\
syntax = "proto3";
package titan.planted.v1;
import "titan/options/v1/access.proto";
import "titan/options/v1/bus.proto";
import "titan/options/v1/field.proto";
option (titan.options.v1.stream) = {
  name: "TITAN_PLANTED" storage: STORAGE_FILE discard: DISCARD_OLD max_age_ms: 1000
  max_bytes: 1000 duplicate_window_ms: 1000 max_message_bytes: 100
};
"""
Compile = Callable[[str], plugin_pb2.CodeGeneratorRequest]


@pytest.fixture
def compiled(tmp_path: pathlib.Path) -> Compile:
    """Compiles one planted proto body into the request a plugin gets."""

    def compile_body(body: str) -> plugin_pb2.CodeGeneratorRequest:
        path = tmp_path / "titan/planted/v1/planted.proto"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + body)
        image = tmp_path / "image.binpb"
        code = protoc.main(
            [
                "protoc",
                f"-I{tmp_path}",
                f"-I{REPOSITORY / 'proto'}",
                "-I" + str(pathlib.Path(protoc.__file__).parent / "_proto"),
                "--include_imports",
                "--include_source_info",
                f"--descriptor_set_out={image}",
                str(path),
            ]
        )
        assert code == 0, "the planted proto itself must compile"
        files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
        return plugin_pb2.CodeGeneratorRequest(
            proto_file=files.file, file_to_generate=["titan/planted/v1/planted.proto"]
        )

    return compile_body
