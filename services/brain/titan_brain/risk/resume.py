"""What a resume needs: the epoch of the halt, and enough different operators who signed it in time.

Owns the checks and the signed bytes. Pure: the caller brings clock reading, public keys and the
Ed25519 function. Must never lift anything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from titan.execution.v1.execution_control_service_pb2 import OperatorSignature

from titan_brain.risk.breaker import Breaker

MAX_VALIDITY_NS: Final = 120 * 1_000_000_000
DOMAIN: Final = "titan.resume.v1"

Verify = Callable[[bytes, bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a resume is refused: stable code, field, value, limit."""

    code: str
    message: str
    field: str
    value: str
    limit: str


def signed_bytes(account: str, halt_epoch: int, expires_at_ns: int) -> bytes:
    """What an operator signs."""
    return f"{DOMAIN}|{account}|{halt_epoch}|{expires_at_ns}".encode()


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom we know, what time it is, and how a signature is checked."""

    publics: Mapping[str, bytes]
    now_unix_ns: int
    verify: Verify


def refusal(
    breaker: Breaker,
    account: str,
    halt_epoch: int,
    signatures: Iterable[OperatorSignature],
    trust: Trust,
) -> Denial | None:
    """Why these signatures do not lift this halt; None when they do."""
    if not breaker.is_halted:
        return Denial("NOT_HALTED", "there is no halt to lift", "halt_epoch", str(halt_epoch), "")
    if halt_epoch != breaker.halt_epoch:
        return Denial(
            "HALT_EPOCH_OTHER",
            "the resume names another halt than the newest",
            "halt_epoch",
            str(halt_epoch),
            str(breaker.halt_epoch),
        )
    # By key and not by name: two names with one key are one person.
    signers: set[bytes] = set()
    for signature in signatures:
        denial = _bad_signature(account, halt_epoch, signature, trust)
        if denial is not None:
            return denial
        signers.add(trust.publics[signature.operator_id])
    if len(signers) < breaker.operators:
        return Denial(
            "OPERATORS_TOO_FEW",
            "this halt needs more different operators",
            "signatures",
            str(len(signers)),
            f"{breaker.operators} different operators",
        )
    return None


def _bad_signature(
    account: str, halt_epoch: int, signature: OperatorSignature, trust: Trust
) -> Denial | None:
    who, until_ns = signature.operator_id, signature.expires_at_ns
    public = trust.publics.get(who)
    latest_ns = trust.now_unix_ns + MAX_VALIDITY_NS
    if public is None:
        known = ", ".join(sorted(trust.publics))
        return _denied("OPERATOR_UNKNOWN", "no public key of", "operator_id", who, known)
    if until_ns <= trust.now_unix_ns:
        return _denied(
            "SIGNATURE_EXPIRED", "expired signature of", "expires_at_ns", who, "the future"
        )
    if until_ns > latest_ns:
        return _denied(
            "SIGNATURE_TOO_LONG", "too long a signature of", "expires_at_ns", who, "120 s ahead"
        )
    if not trust.verify(public, signed_bytes(account, halt_epoch, until_ns), signature.signature):
        return _denied(
            "SIGNATURE_INVALID", "false signature of", "signature", who,
            f"Ed25519 over {DOMAIN}|account|halt_epoch|expires_at_ns",
        )  # fmt: skip
    return None


def _denied(code: str, what: str, field: str, who: str, limit: str) -> Denial:
    return Denial(code, f"{what} {who}", f"signatures.{field}", who, limit)
