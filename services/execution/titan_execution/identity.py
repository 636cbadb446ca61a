"""Who this Execution is: account, policy, symbols, build.

Owns facts that never change while it runs. Must never hold state.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata

from titan_mesh.policy_hash import Policy


@dataclass(frozen=True, slots=True)
class Identity:
    """Facts of one process."""

    account: str
    venue: str
    policy_hash: bytes
    symbols: tuple[str, ...]
    phases: tuple[str, ...]
    build: str
    digest: bytes


def identity_of(account: str, venue: str, policy: Policy) -> Identity:
    """The identity under a policy; symbols and phases in the policy's order."""
    build = f"titan-execution {metadata.version('titan-execution')}"
    return Identity(
        account=account,
        venue=venue,
        policy_hash=policy.hash,
        symbols=tuple(limits.symbol for limits in policy.pb.instruments),
        phases=tuple(phase.phase_id for phase in policy.pb.phases),
        build=build,
        digest=hashlib.sha256(build.encode()).digest(),
    )
