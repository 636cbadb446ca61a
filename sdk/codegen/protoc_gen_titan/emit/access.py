"""titan.access: who may call each RPC.

Owns the authorisation table. Must never know how a caller proves its role.
"""

from __future__ import annotations

from collections.abc import Iterator

from protoc_gen_titan.model import Contract
from protoc_gen_titan.text import module_header, quoted

BODY = '''
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """Roles that may call one RPC, and whether it may come without a deadline."""

    roles: frozenset[str]
    deadline_exempt: bool


ACCESS: Mapping[str, Access] = {
'''


def emit_access(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields the table, keyed by the full method name as gRPC writes it."""
    lines = [
        module_header(
            "Who may call each RPC.",
            "Owns the authorisation table. Must never know principals.",
        )
        + BODY.rstrip("\n")
    ]
    for method in contract.methods:
        roles = ", ".join(quoted(role) for role in method.roles)
        lines += [
            f"    {quoted(method.path)}: Access(",
            f"        roles=frozenset({{{roles}}}),",
            f"        deadline_exempt={method.deadline_exempt},",
            "    ),",
        ]
    yield "titan/access.py", "\n".join([*lines, "}"]) + "\n"
