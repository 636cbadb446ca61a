"""Budgets of the phases for the next lease.

Owns the first allocation: the policy's own limit for each phase while the state is NORMAL, nothing
otherwise, and nothing for a phase that lost its day. Pure. Must never raise a budget above policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from titan.risk.v1 import trading_state_pb2 as pb


@dataclass(frozen=True, slots=True)
class Budget:
    """What one phase may hold, nanos of gross notional."""

    phase_id: str
    max_notional_nanos: int
    allowed: bool


def allocate(
    state: int, phase_limits_nanos: Mapping[str, int], breached_phases: Set[str]
) -> tuple[Budget, ...]:
    """One budget per phase of the policy, in its order."""
    is_normal = state == pb.TRADING_STATE_NORMAL
    budgets = []
    for phase, limit in phase_limits_nanos.items():
        allowed = is_normal and phase not in breached_phases
        budgets.append(Budget(phase, limit if allowed else 0, allowed))
    return tuple(budgets)


def gross_nanos(budgets: Iterable[Budget], account_limit_nanos: int) -> int:
    """Gross notional of the account under these budgets: nothing when no phase may trade."""
    return account_limit_nanos if any(budget.allowed for budget in budgets) else 0
