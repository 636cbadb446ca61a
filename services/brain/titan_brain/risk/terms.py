"""The policy as the rules need it: thresholds, losses, budgets, bounds, all in integers.

Owns the translation of RiskPolicy. Pure. Must never soften a limit: what does not parse was
refused when the policy was loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from titan.risk.v1.policy_pb2 import InstrumentLimits, RiskPolicy
from titan_mesh import money

from titan_brain.risk.budget import LossLimits
from titan_brain.risk.guardian import Limits
from titan_brain.truth.inputs import Bounds

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """One policy, ready for use."""

    policy_hash: bytes
    limits: Limits
    losses: LossLimits
    bounds: Bounds
    phase_notional_nanos: Mapping[str, int]
    instruments: Mapping[str, InstrumentLimits]
    max_gross_nanos: int
    max_leverage_pct: int
    lease_ttl_ms: int
    lease_renew_ms: int
    restart_window_ns: int


def terms_of(policy: RiskPolicy, policy_hash: bytes) -> Terms:
    """The terms of a policy that passed its checks."""
    account, timing, truth = policy.account, policy.timing, policy.truth
    loss_nanos = money.nanos_of(account.max_daily_loss)
    return Terms(
        policy_hash=policy_hash,
        limits=Limits(
            min_score_open=truth.min_score_open,
            min_score_reopen=truth.min_score_reopen,
            halt_below=truth.halt_below,
            halt_armed_at=truth.halt_armed_at,
            truth_stale_ns=timing.truth_stale_ms * _MS,
            max_restarts=policy.restarts.max_restarts,
            account_loss_nanos=loss_nanos,
        ),
        losses=LossLimits(
            loss_nanos,
            {row.phase_id: money.nanos_of(row.max_daily_loss) for row in policy.phases},
        ),
        bounds=Bounds(
            policy_hash,
            timing.truth_stale_ms,
            {row.symbol: row.max_book_age_ms for row in policy.instruments},
        ),
        phase_notional_nanos={
            row.phase_id: money.nanos_of(row.max_notional) for row in policy.phases
        },
        instruments={row.symbol: row for row in policy.instruments},
        max_gross_nanos=money.nanos_of(account.max_gross_notional),
        max_leverage_pct=account.max_leverage_pct,
        lease_ttl_ms=timing.lease_ttl_ms,
        lease_renew_ms=timing.lease_renew_ms,
        restart_window_ns=policy.restarts.window_ms * _MS,
    )
