"""Plugin that runs grpcio-tools' built-in grpc_python generator, which buf cannot call itself.

Owns that wrapping only. Must never know our options.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

from google.protobuf import descriptor_pb2
from google.protobuf.compiler import plugin_pb2
from grpc_tools import protoc  # type: ignore[import-untyped]


def generate(request: plugin_pb2.CodeGeneratorRequest) -> plugin_pb2.CodeGeneratorResponse:
    """The *_pb2_grpc.py of every requested file that declares a service."""
    response = plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    )
    requested = set(request.file_to_generate)
    wanted = [f.name for f in request.proto_file if f.name in requested and f.service]
    if not wanted:
        return response
    with tempfile.TemporaryDirectory() as scratch:
        image = pathlib.Path(scratch, "request.binpb")
        out = pathlib.Path(scratch, "out")
        out.mkdir()
        files = descriptor_pb2.FileDescriptorSet(file=request.proto_file)
        image.write_bytes(files.SerializeToString())
        code = protoc.main(
            ["protoc", f"--descriptor_set_in={image}", f"--grpc_python_out={out}", *wanted]
        )
        if code:
            response.error = f"grpc_python failed with status {code}"
        for path in sorted(out.rglob("*.py")):
            response.file.add(name=path.relative_to(out).as_posix(), content=path.read_text())
    return response


if __name__ == "__main__":
    sys.stdout.buffer.write(
        generate(
            plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
        ).SerializeToString()
    )
