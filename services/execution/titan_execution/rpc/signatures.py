"""Who may lift a halt: Ed25519 signatures of operators over its epoch.

Owns the signed text, the validity window and how many operators a cause needs. Must never lift
anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.risk.v1 import trading_state_pb2
from titan_mesh import operator_keys
from titan_mesh.errors import AccessDenied

MAX_VALIDITY_NS = 120_000_000_000


def signed_text(account: str, halt_epoch: int, expires_at_ns: int) -> bytes:
    """What an operator signs to lift the halt of an epoch."""
    return f"titan.resume.v1|{account}|{halt_epoch}|{expires_at_ns}".encode()


def require_operators(
    request: control_pb2.SetTradingStateRequest,
    cause: int,
    publics: Mapping[str, bytes],
    now_ns: int,
) -> None:
    """One operator lifts an operator's halt; anything else needs two, by key and not by name."""
    needed = 1 if cause == trading_state_pb2.BREAKER_CAUSE_OPERATOR else 2
    signers = {publics[signature.operator_id] for signature in _valid(request, publics, now_ns)}
    if len(signers) < needed:
        raise AccessDenied(
            "SIGNATURES_MISSING",
            "a resume needs valid signatures of operators",
            "signatures",
            len(signers),
            f"{needed} operators, each valid for at most 120 s",
            hint="titan resume collects them; each names the newest halt epoch.",
        )


def _valid(
    request: control_pb2.SetTradingStateRequest, publics: Mapping[str, bytes], now_ns: int
) -> Iterable[control_pb2.OperatorSignature]:
    for signature in request.signatures:
        public = publics.get(signature.operator_id)
        fresh = 0 < signature.expires_at_ns - now_ns <= MAX_VALIDITY_NS
        text = signed_text(request.account, request.halt_epoch, signature.expires_at_ns)
        if public and fresh and operator_keys.verify(public, text, signature.signature):
            yield signature
