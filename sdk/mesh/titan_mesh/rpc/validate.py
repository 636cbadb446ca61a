"""The contract's rules at the gRPC edge.

Owns the refusal of a request that breaks a rule. Must never know which RPC it guards.
"""

from __future__ import annotations

from google.protobuf.message import Message

from titan_mesh.errors import InvalidMessage
from titan_mesh.rules import violations


def require_valid(request: Message) -> None:
    """InvalidMessage names the first broken rule of a request."""
    broken = next(iter(violations(request)), None)
    if broken is not None:
        raise InvalidMessage(
            "FIELD_INVALID",
            f"{request.DESCRIPTOR.full_name}.{broken.field} breaks its rule",
            broken.field,
            broken.value,
            broken.limit,
            hint="Compare the request with the contract.",
        )
