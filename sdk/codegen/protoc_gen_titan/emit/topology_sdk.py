"""The same topology over the SDK's betterproto2 classes.

Owns the choice of codec for each event of the SDK. Must never import or emit protobuf classes.
"""

from __future__ import annotations

from collections.abc import Iterator

from protoc_gen_titan.emit.topology import topology_body
from protoc_gen_titan.model import Contract, EventSpec, snake
from protoc_gen_titan.text import module_header


def emit_topology_sdk(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields topology.py of the SDK's generated package."""
    packages = sorted({e.message.package for e in contract.events})
    lines = [
        module_header(
            "The bus of Titan, typed, over the SDK's message classes.",
            "Owns nothing of its own: the same facts as titan.topology.",
        ),
        "from collections.abc import Mapping",
        "",
        "from titan.topology_types import Consumer, Event, Key, Participant, Stream",
        "",
        "from titan_sdk._pb import hot",
    ]
    lines += [
        f"from titan_sdk._pb.{p.rpartition('.')[0]} import v1 as {_alias(p)}" for p in packages
    ]
    lines += topology_body(
        contract,
        lambda e: f"{_alias(e.message.package)}.{e.message.name}",
        _codec,
    )
    yield "topology.py", "\n".join(lines) + "\n"


def _alias(package: str) -> str:
    return package.removeprefix("titan.").replace(".", "_")


def _codec(event: EventSpec) -> tuple[str, str]:
    name = snake(event.message.name)
    return f"hot.encode_{name}", f"hot.decode_{name}"
