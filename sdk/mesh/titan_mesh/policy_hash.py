"""The risk policy and its hash: the one implementation of what every order is bound to.

Owns canonical form, checks and SHA-256 of RiskPolicy. Must never take a policy from a message:
only from a file of the host, or from bytes that an operator's tool read there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from google.protobuf import json_format
from titan.risk.v1.policy_pb2 import RiskPolicy

from titan_mesh import canonical_json, money, rules
from titan_mesh.errors import MoneyError, PolicyError, TitanError

MAX_POLICY_BYTES = 1 << 20
HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that passed every check, its hash and the canonical bytes the hash covers."""

    pb: RiskPolicy
    hash: bytes
    canonical: bytes

    @property
    def hex(self) -> str:
        """The hash as people write it."""
        return self.hash.hex()


def load_policy(path: Path) -> Policy:
    """The policy of a file; anything doubtful about it raises PolicyError."""
    try:
        text = path.read_bytes()
    except OSError as fault:
        raise PolicyError(
            "POLICY_UNREADABLE",
            f"cannot read the policy: {fault.strerror}",
            "mesh.policy",
            path,
            "a readable file",
        ) from None
    return parse_policy(text, str(path))


def parse_policy(text: bytes, origin: str = "policy") -> Policy:
    """The policy of JSON bytes; origin names them in errors."""
    if len(text) > MAX_POLICY_BYTES:
        raise PolicyError(
            "POLICY_INVALID", f"{origin} is too large", origin, len(text), MAX_POLICY_BYTES
        )
    try:
        document = canonical_json.parse(text)
    except TitanError as fault:
        raise PolicyError(
            "POLICY_NOT_CANONICAL", f"{origin}: {fault.message}", "json", fault.value, fault.limit
        ) from None
    if not isinstance(document, dict):
        raise PolicyError(
            "POLICY_INVALID", f"{origin} is no JSON object", "$", type(document).__name__, "object"
        )
    policy = RiskPolicy()
    try:
        json_format.ParseDict(document, policy)
    except json_format.ParseError as fault:
        raise PolicyError(
            "POLICY_INVALID", f"{origin} is no RiskPolicy", "$", fault, "titan.risk.v1.RiskPolicy"
        ) from None
    difference = canonical_json.first_difference(document, _proto3_json(policy))
    if difference is not None:
        path, found, expected = difference
        raise PolicyError(
            "POLICY_NOT_CANONICAL",
            f"{origin} is spelt in another way than its canonical form at {path}",
            path,
            "absent" if found is None else canonical_json.canonical(found).decode(),
            "absent" if expected is None else canonical_json.canonical(expected).decode(),
            hint="Proto field names, every field present, 64-bit integers as strings.",
        )
    _check(policy, origin)
    body = canonical_json.canonical(document)
    return Policy(policy, hashlib.sha256(body).digest(), body)


def hash_of(policy: RiskPolicy) -> bytes:
    """SHA-256 of the canonical form of a policy message."""
    return hashlib.sha256(canonical_json.canonical(_proto3_json(policy))).digest()


def _proto3_json(policy: RiskPolicy) -> canonical_json.Json:
    document = json_format.MessageToDict(
        policy, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return cast(canonical_json.Json, document)


def _check(policy: RiskPolicy, origin: str) -> None:
    broken = next(iter(rules.violations(policy)), None) or next(iter(_meaning(policy)), None)
    if broken is not None:
        raise PolicyError(
            "POLICY_INVALID",
            f"{origin}: {broken.field} is out of bounds",
            broken.field,
            broken.value,
            broken.limit,
            hint="Correct the policy file; its hash changes with it.",
        )


def _meaning(policy: RiskPolicy) -> Iterable[rules.Violation]:
    """What no rule of one field can say."""
    yield from _decimals(policy)
    yield from _unique(policy)
    yield from _orders(policy)


def _decimals(policy: RiskPolicy) -> Iterable[rules.Violation]:
    amounts = [
        ("account.max_gross_notional", policy.account.max_gross_notional),
        ("account.equity", policy.account.equity),
        ("account.max_daily_loss", policy.account.max_daily_loss),
    ]
    for index, instrument in enumerate(policy.instruments):
        amounts.append((f"instruments[{index}].max_order_notional", instrument.max_order_notional))
    for index, phase in enumerate(policy.phases):
        amounts.append((f"phases[{index}].max_notional", phase.max_notional))
        amounts.append((f"phases[{index}].max_daily_loss", phase.max_daily_loss))
    for field, text in amounts:
        try:
            money.positive_nanos_of(text, field)
        except MoneyError as fault:
            yield rules.Violation(field, text, fault.limit)


def _unique(policy: RiskPolicy) -> Iterable[rules.Violation]:
    lists = {
        "instruments": [item.symbol for item in policy.instruments],
        "phases": [item.phase_id for item in policy.phases],
        "venues": [item.venue for item in policy.venues],
    }
    for field, names in lists.items():
        for name in names:
            if names.count(name) > 1:
                yield rules.Violation(field, name, "each name once")


def _orders(policy: RiskPolicy) -> Iterable[rules.Violation]:
    timing, truth = policy.timing, policy.truth
    if timing.lease_renew_ms >= timing.lease_ttl_ms:
        yield rules.Violation(
            "timing.lease_renew_ms",
            str(timing.lease_renew_ms),
            f"below lease_ttl_ms {timing.lease_ttl_ms}",
        )
    if truth.min_score_open > truth.min_score_reopen:
        yield rules.Violation(
            "truth.min_score_open",
            str(truth.min_score_open),
            f"at most min_score_reopen {truth.min_score_reopen}",
        )
    if truth.halt_below > truth.min_score_open:
        yield rules.Violation(
            "truth.halt_below",
            str(truth.halt_below),
            f"at most min_score_open {truth.min_score_open}",
        )
    if truth.halt_armed_at < truth.halt_below:
        yield rules.Violation(
            "truth.halt_armed_at",
            str(truth.halt_armed_at),
            f"at least halt_below {truth.halt_below}",
        )
    for index, instrument in enumerate(policy.instruments):
        if instrument.max_order_qty_lots > instrument.max_position_lots:
            yield rules.Violation(
                f"instruments[{index}].max_order_qty_lots",
                str(instrument.max_order_qty_lots),
                f"at most max_position_lots {instrument.max_position_lots}",
            )
