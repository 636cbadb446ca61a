"""From a stance to a lease at the edge, again and again.

Owns the sequence, the renewal and the order of things: what tightens is sent at once and kept
afterwards, what relaxes is kept first and sent with the next renewal. Must never decide what a
lease says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from titan.execution.v1.execution_control_service_pb2 import GrantLeaseResponse
from titan.risk.v1 import trading_state_pb2 as state_pb
from titan.risk.v1.lease_pb2 import PhaseBudget, RiskLease
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.telemetry.logs import Log

from titan_brain.allocation.allocator import Budget
from titan_brain.edge import Edge
from titan_brain.leases.announcer import Announcer
from titan_brain.risk.breaker import Breaker
from titan_brain.risk.terms import Terms
from titan_brain.store.records import Records

_NS_PER_MS = 1_000_000
# Failures in a row between two lines of the log: Execution may be down for long.
LOG_EVERY = 10
# First delay after a lease that was not taken; doubles up to the renewal interval.
RETRY_FIRST_NS = 100_000_000

OnGrant = Callable[[RiskLease, GrantLeaseResponse], None]


@dataclass(frozen=True, slots=True)
class Stance:
    """What the next lease says."""

    breaker: Breaker
    truth_score: int
    applied_lsn: int
    budgets: tuple[Budget, ...]
    max_gross_nanos: int


class Issuer:
    """Grants leases of one brain epoch."""

    def __init__(
        self,
        *,
        account: str,
        terms: Terms,
        brain_epoch: int,
        edge: Edge,
        records: Records,
        announcer: Announcer,
        clock: Clock,
        log: Log,
    ) -> None:
        self._account = account
        self._terms = terms
        self._edge = edge
        self._records = records
        self._announcer = announcer
        self._clock = clock
        self._log = log
        self._lock = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._failures = 0
        self._kept: RiskLease | None = None
        self.brain_epoch = brain_epoch
        self.sequence = 0
        self.granted: RiskLease | None = None
        self.on_grant: OnGrant = lambda _lease, _answer: None

    async def send(self, stance: Stance, *, tightens: bool) -> bool:
        """One lease to the edge; False when Execution did not take it."""
        async with self._lock:
            self.sequence += 1
            lease = self._lease(stance)
            is_new = self._kept is None or _says(lease) != _says(self._kept)
            if is_new and not tightens:
                await self._keep(lease)
            try:
                answer = await self._edge.grant(lease)
            except TitanError as fault:
                self._failed(fault)
                return False
            finally:
                if is_new and tightens:
                    await self._keep(lease)
            if self._failures:
                self._log.info("lease_granted_again", after=self._failures)
            self._failures = 0
            self.granted = lease
            self._announcer.lease(lease)
            self.on_grant(lease, answer)
            return True

    def hurry(self) -> None:
        """Renew now and not when it is due."""
        self._hurry.set()

    async def run(self, stance: Callable[[], Stance]) -> None:
        """Renews until it is cancelled; after a failure sooner at first, then as often as ever."""
        renew_ns = self._terms.lease_renew_ms * _NS_PER_MS
        retry_ns = RETRY_FIRST_NS
        while True:
            started_ns = self._clock.boottime_ns()
            self._hurry.clear()
            if await self.send(stance(), tightens=False):
                retry_ns, wait_ns = RETRY_FIRST_NS, renew_ns
            else:
                wait_ns, retry_ns = min(retry_ns, renew_ns), 2 * min(retry_ns, renew_ns)
            await self._until(started_ns + wait_ns)

    async def _until(self, boottime_ns: int) -> None:
        due = asyncio.ensure_future(self._clock.sleep_until(boottime_ns))
        hurried = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait({due, hurried}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            due.cancel()
            hurried.cancel()

    def _failed(self, fault: TitanError) -> None:
        if self._failures % LOG_EVERY == 0:
            self._log.warn("lease_not_granted", fault=str(fault), failures=self._failures + 1)
        self._failures += 1

    async def _keep(self, lease: RiskLease) -> None:
        await self._records.add_lease(lease)
        self._kept = lease

    def _lease(self, stance: Stance) -> RiskLease:
        normal = stance.breaker.state == state_pb.TRADING_STATE_NORMAL
        return RiskLease(
            account=self._account,
            policy_hash=self._terms.policy_hash,
            brain_epoch=self.brain_epoch,
            lease_sequence=self.sequence,
            state=stance.breaker.state,
            ttl_ms=self._terms.lease_ttl_ms,
            truth_score=stance.truth_score,
            max_leverage_pct=self._terms.max_leverage_pct if normal else 0,
            max_gross_notional_nanos=stance.max_gross_nanos,
            budgets=[
                PhaseBudget(
                    phase_id=budget.phase_id,
                    max_notional_nanos=budget.max_notional_nanos,
                    allowed=budget.allowed,
                )
                for budget in stance.budgets
            ],
            applied_lsn=stance.applied_lsn,
            cause=stance.breaker.cause,
            granted_at_ns=self._clock.unix_ns(),
            halt_epoch=stance.breaker.halt_epoch,
            min_score_open=self._terms.limits.min_score_open,
        )


def _says(lease: RiskLease) -> bytes:
    """The content of a lease without what changes in every renewal."""
    content = RiskLease()
    content.CopyFrom(lease)
    for name in ("lease_sequence", "granted_at_ns", "applied_lsn"):
        content.ClearField(name)
    return content.SerializeToString(deterministic=True)
