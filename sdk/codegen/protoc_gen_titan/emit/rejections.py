"""titan.rejections: what each reject reason means, without message classes.

Owns the table of denials. Must never know who denies.
"""

from __future__ import annotations

from collections.abc import Iterator

from protoc_gen_titan.model import Contract
from protoc_gen_titan.text import module_header, quoted

BODY = '''
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Denial:
    """One reject reason: stable code, next step, gRPC status name, whether to send again."""

    number: int
    code: str
    hint: str
    grpc_status: str
    retryable: bool


DENIALS: Mapping[int, Denial] = {
'''


def emit_rejections(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields the table."""
    lines = [
        module_header(
            "What each RejectReason tells its reader.",
            "Owns the meaning of denials. Must never import message classes.",
        )
        + BODY.rstrip("\n")
    ]
    for denial in contract.denials:
        lines += [
            f"    {denial.number}: Denial(",
            f"        number={denial.number},",
            f"        code={quoted(denial.value.removeprefix('REJECT_REASON_'))},",
            f"        hint={quoted(denial.hint)},",
            f"        grpc_status={quoted(denial.grpc_status)},",
            f"        retryable={denial.retryable},",
            "    ),",
        ]
    yield "titan/rejections.py", "\n".join([*lines, "}"]) + "\n"
