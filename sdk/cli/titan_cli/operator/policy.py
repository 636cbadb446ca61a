"""`titan policy hash`: what every order is bound to. Must never bring a policy into force."""

from __future__ import annotations

from pathlib import Path

from titan_mesh.errors import TitanError
from titan_mesh.policy_hash import load_policy


def hash_of(path: Path, expected: str) -> dict[str, object]:
    """Hash of a policy file; POLICY_HASH_DIFFERS when another one was expected."""
    policy = load_policy(path)
    if expected and expected.lower() != policy.hex:
        raise TitanError(
            "POLICY_HASH_DIFFERS",
            f"{path} is not the policy that was expected",
            "policy_hash",
            policy.hex,
            expected,
            hint="Compare the files: jq -cS . A, jq -cS . B",
        )
    return {"policy_hash": policy.hex, "path": str(path), "bytes": len(policy.canonical)}
