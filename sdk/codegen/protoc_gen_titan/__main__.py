"""Plugin entry: CodeGeneratorRequest on stdin, CodeGeneratorResponse on stdout.

Owns the list of emitters and where each one's files go. Must never know what is in the files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from google.protobuf.compiler import plugin_pb2

from protoc_gen_titan.check import mistakes
from protoc_gen_titan.emit.access import emit_access
from protoc_gen_titan.emit.catalogue import emit_catalogue
from protoc_gen_titan.emit.docs import emit_docs
from protoc_gen_titan.emit.messages import emit_messages
from protoc_gen_titan.emit.nats import emit_nats
from protoc_gen_titan.emit.package import emit_package
from protoc_gen_titan.emit.rejections import emit_rejections
from protoc_gen_titan.emit.rules import emit_rules
from protoc_gen_titan.emit.spans import emit_spans
from protoc_gen_titan.emit.topology import emit_topology, emit_topology_types
from protoc_gen_titan.emit.topology_sdk import emit_topology_sdk
from protoc_gen_titan.hot.cython import emit_hot_cython
from protoc_gen_titan.hot.python import emit_hot_python
from protoc_gen_titan.model import Contract
from protoc_gen_titan.read import read_contract

Emitter = Callable[[Contract], Iterator[tuple[str, str]]]

CONTRACTS = "gen/python/"
CYTHON = "gen/cython/"
SDK = "sdk/python/titan_sdk/_pb/"
EMITTERS: tuple[tuple[str, Emitter], ...] = (
    (CONTRACTS, emit_package),
    (CONTRACTS, emit_topology_types),
    (CONTRACTS, emit_topology),
    (CONTRACTS, emit_rejections),
    (CONTRACTS, emit_access),
    (CONTRACTS, emit_rules),
    (CONTRACTS, emit_spans),
    (CYTHON, emit_hot_cython),
    (SDK, emit_hot_python),
    (SDK, emit_topology_sdk),
    ("gen/", emit_catalogue),
    ("gen/", emit_docs),
    ("gen/", emit_nats),
)


def generate(request: plugin_pb2.CodeGeneratorRequest) -> plugin_pb2.CodeGeneratorResponse:
    """Every derived file, or the contract's mistakes."""
    response = plugin_pb2.CodeGeneratorResponse(
        supported_features=plugin_pb2.CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    )
    contract = read_contract(request)
    found = mistakes(contract)
    if found:
        response.error = "\n".join(found)
        return response
    for root, emitter in EMITTERS:
        for path, content in emitter(contract):
            response.file.add(name=root + path, content=content)
    for path, content in emit_messages(request):
        response.file.add(name=SDK + path, content=content)
    return response


def main() -> None:
    """Answers one request."""
    request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(generate(request).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
