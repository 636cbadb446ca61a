"""What the current lease allows this phase: a read view, for strategies that would rather not be
refused.

Owns the reading of a RiskLease for one phase. Must never decide: the gate at Execution does, on
its own copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from titan_sdk.vocabulary import BreakerCause, TradingState

_NS_PER_MS = 1_000_000


class BudgetView(Protocol):
    """What is read of titan.risk.v1.PhaseBudget."""

    @property
    def phase_id(self) -> str: ...  # noqa: D102
    @property
    def max_notional_nanos(self) -> int: ...  # noqa: D102
    @property
    def allowed(self) -> bool: ...  # noqa: D102


class LeaseView(Protocol):
    """What is read of titan.risk.v1.RiskLease, whichever family decoded it."""

    @property
    def policy_hash(self) -> bytes: ...  # noqa: D102
    @property
    def brain_epoch(self) -> int: ...  # noqa: D102
    @property
    def lease_sequence(self) -> int: ...  # noqa: D102
    @property
    def state(self) -> int: ...  # noqa: D102
    @property
    def cause(self) -> int: ...  # noqa: D102
    @property
    def ttl_ms(self) -> int: ...  # noqa: D102
    @property
    def truth_score(self) -> int: ...  # noqa: D102
    @property
    def budgets(self) -> Sequence[BudgetView]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Allowance:
    """The newest lease, as far as it concerns one phase."""

    state: TradingState
    cause: BreakerCause
    budget_nanos: int
    truth_score: int
    brain_epoch: int
    lease_sequence: int
    expires_at_boottime_ns: int

    @classmethod
    def none(cls) -> Allowance:
        """Before any lease was seen: nothing may be opened."""
        return cls(TradingState.DEFENSIVE, BreakerCause.START, 0, 0, 0, 0, 0)

    @classmethod
    def from_lease(cls, lease: LeaseView, phase_id: str, boottime_ns: int) -> Allowance:
        """Read a lease that was received at boottime_ns. A phase that it does not name gets
        nothing.
        """
        budget = next((item for item in lease.budgets if item.phase_id == phase_id), None)
        return cls(
            state=TradingState(int(lease.state)),
            cause=BreakerCause(int(lease.cause)),
            budget_nanos=budget.max_notional_nanos if budget is not None and budget.allowed else 0,
            truth_score=lease.truth_score,
            brain_epoch=lease.brain_epoch,
            lease_sequence=lease.lease_sequence,
            expires_at_boottime_ns=boottime_ns + lease.ttl_ms * _NS_PER_MS,
        )

    def supersedes(self, other: Allowance) -> bool:
        """True when this lease is newer than the other."""
        mine = (self.brain_epoch, self.lease_sequence)
        return mine > (other.brain_epoch, other.lease_sequence)

    def may_open(self, boottime_ns: int) -> bool:
        """True when new risk would pass the lease now. Reductions and cancels need no allowance."""
        normal = self.state is TradingState.NORMAL and self.budget_nanos > 0
        return normal and boottime_ns < self.expires_at_boottime_ns
