"""The governor: looks, decides, restricts at once, relaxes on record.

Owns the breaker, the memory between looks and the order of acting and recording. Must never judge
by itself; judgement and the rules below it do. One look at a time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from titan.brain.v1.decision_pb2 import DECISION_KIND_OPERATOR, DashboardUpdated
from titan.execution.v1.execution_control_service_pb2 import GrantLeaseResponse
from titan.risk.v1.lease_pb2 import RiskLease
from titan.risk.v1.trading_state_pb2 import TradingState
from titan.truth.v1.truth_pb2 import TruthScored, TruthSnapshot
from titan_mesh.errors import TitanError
from titan_mesh.telemetry.logs import Log

from titan_brain.allocation.allocator import Budget
from titan_brain.edge import BRAIN, Edge
from titan_brain.leases.announcer import Announcer
from titan_brain.leases.issuer import Issuer, Stance
from titan_brain.leases.judgement import Judgement, Memory, judge
from titan_brain.leases.notes import Notes, words
from titan_brain.ledger.fold import Grid
from titan_brain.risk.breaker import (
    DEFENSIVE,
    HALTED,
    NORMAL,
    STATES,
    Breaker,
    Trigger,
    step,
    with_epoch,
)
from titan_brain.risk.terms import Terms
from titan_brain.store.brain_state import BrainState, Kept
from titan_brain.store.pictures import Pictures, empty_picture
from titan_brain.store.records import Records
from titan_brain.truth.inputs import Seen
from titan_brain.truth.reconcile import Evidence, reconcile
from titan_brain.truth.score import Score

LOOK_INTERVAL_NS = 250_000_000
# A halt that the edge has not heard of is pressed again at every look, then ever more rarely.
PRESS_FIRST_NS = 250_000_000
PRESS_MAX_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Stores:
    """The parts of the database that the governor uses."""

    pictures: Pictures
    records: Records
    state: BrainState


class Governor:
    """Holds the breaker of one account."""

    def __init__(
        self,
        *,
        kept: Kept,
        terms: Terms,
        grid: Grid,
        stores: Stores,
        edge: Edge,
        issuer: Issuer,
        announcer: Announcer,
        notes: Notes,
        log: Log,
    ) -> None:
        self._kept = kept
        self._terms = terms
        self._grid = grid
        self._stores = stores
        self._edge = edge
        self._issuer = issuer
        self._announcer = announcer
        self._notes = notes
        self._log = log
        self._clock = notes.clock
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._memory = Memory(kept.breaker, kept.day, kept.edge_pending)
        self._seen: Seen | None = None
        self._evidence = Evidence()
        self._latest = self._blank()
        # The contract: no parts before the first snapshot.
        self._scored = notes.scored(Score(0, ()), 0)
        self._press_at_ns = 0
        self._press_wait_ns = PRESS_FIRST_NS
        issuer.on_grant = self._on_grant

    def _blank(self) -> Judgement:
        """What is known before the first look: nothing."""
        return judge(
            empty_picture(self._grid.account),
            None,
            self._memory,
            self._terms,
            self._grid.nanos_per_tick_lot,
            unix_ns=self._clock.unix_ns(),
            boottime_ns=self._clock.boottime_ns(),
        )

    @property
    def latest(self) -> Judgement:
        """What the newest look found."""
        return self._latest

    @property
    def breaker(self) -> Breaker:
        """Where the breaker stands."""
        return self._memory.breaker

    @property
    def edge_pending(self) -> bool:
        """True while a halt of ours is not true at the edge."""
        return self._memory.edge_pending

    @property
    def scored(self) -> TruthScored:
        """The newest score with its parts."""
        return self._scored

    @property
    def snapshot_age_ns(self) -> int:
        """Age of the newest snapshot; -1 when there is none."""
        if self._seen is None:
            return -1
        return self._clock.boottime_ns() - self._seen.received_boottime_ns

    def stance(self) -> Stance:
        """What the next lease says; a picture that went old since the last look opens nothing.

        A Brain that was paused renews before it looks.
        """
        breaker, latest = self._memory.breaker, self._latest
        fresh = 0 <= self.snapshot_age_ns <= self._terms.limits.truth_stale_ns
        if breaker.state == NORMAL and not fresh:
            breaker, latest = step(breaker, Trigger.BLIND), latest.closed()
        return Stance(
            breaker,
            latest.score.score,
            latest.applied_lsn,
            latest.budgets,
            latest.max_gross_nanos,
        )

    def wake(self) -> None:
        """Something changed: look now."""
        self._wake.set()

    def edge_restarted(self) -> None:
        """Execution began a new epoch and has no lease: look, and grant one now."""
        self._issuer.hurry()
        self._wake.set()

    async def run(self) -> None:
        """Looks at each interval, and when woken, until it is cancelled."""
        while True:
            await self.look()
            due = asyncio.ensure_future(
                self._clock.sleep_until(self._clock.boottime_ns() + LOOK_INTERVAL_NS)
            )
            woken = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait({due, woken}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                due.cancel()
                woken.cancel()
            self._wake.clear()

    async def caught_up(self, durable_lsn: int, applied_lsn: int) -> None:
        """The record was compared with Execution's journal; without this nothing gets NORMAL."""
        behind = max(0, applied_lsn - durable_lsn)
        self._memory = replace(
            self._memory,
            caught_up=applied_lsn >= durable_lsn,
            durable_lsn=max(self._memory.durable_lsn, durable_lsn),
            edge_behind_reports=max(self._memory.edge_behind_reports, behind),
        )
        await self.look()

    async def unapplicable(self, detail: str) -> None:
        """A money report cannot be applied: the account stands until operators say otherwise."""
        self._memory = replace(self._memory, unapplicable=self._memory.unapplicable + 1)
        await self._stores.records.add_audit(self._clock.unix_ns(), BRAIN, "poison", detail)
        await self.look()

    async def halt(self, operator_id: str, text: str, halt_epoch: int) -> None:
        """An operator halted; halt_epoch 0 when the edge could not be told yet."""
        async with self._lock:
            before = self._memory.breaker
            after = with_epoch(step(before, Trigger.OPERATOR), halt_epoch)
            pending = self._memory.edge_pending or halt_epoch == 0
            self._memory = replace(self._memory, breaker=after, edge_pending=pending)
            if before.state != after.state:
                self._latest = self._latest.closed()
                await self._issuer.send(self.stance(), tightens=True)
                self._announcer.state(self._notes.changed(before, after, text, operator_id))
            await self._save()
            await self._operator_decided("operator.halt", text, operator_id, after.state)

    async def resuming(self, operator_id: str, text: str, denial: str) -> None:
        """Operators ask to lift a halt; on record before it is asked for at the edge."""
        rule = "operator.resume_refused" if denial else "operator.resume"
        state = HALTED if denial else DEFENSIVE
        async with self._lock:
            await self._operator_decided(rule, denial or text, operator_id, state)

    async def _operator_decided(
        self, rule: str, text: str, operator_id: str, state: TradingState.ValueType
    ) -> None:
        decision = self._notes.decision(
            DECISION_KIND_OPERATOR,
            rule,
            text,
            state=state,
            lease_sequence=self._issuer.sequence,
            operator_id=operator_id,
        )
        await self._stores.records.add_decision(decision, self._issuer.brain_epoch)
        await self._stores.records.add_audit(decision.decided_at_ns, operator_id, rule, text)
        self._announcer.decision(decision)

    async def observe(self, snapshot: TruthSnapshot, received_boottime_ns: int) -> None:
        """A truth snapshot came: reconcile, score, look, tell."""
        expected = await self._stores.pictures.sums_at(
            snapshot.as_of_lsn, self._grid.nanos_per_tick_lot
        )
        found = reconcile(snapshot, expected, self._evidence, received_boottime_ns)
        for item in found.discrepancies:
            self._log.warn(
                "discrepancy", kind=item.kind, symbol=item.symbol, found=item.found,
                expected=item.expected, lsn=snapshot.as_of_lsn,
            )  # fmt: skip
        self._evidence = found.evidence
        self._seen = Seen(snapshot, received_boottime_ns, found)
        await self.look()
        await self._tell(snapshot)

    async def look(self) -> None:
        """One look, and what follows from it."""
        async with self._lock:
            picture = await self._stores.pictures.now(self._terms.restart_window_ns)
            found = judge(
                picture,
                self._seen,
                self._memory,
                self._terms,
                self._grid.nanos_per_tick_lot,
                unix_ns=self._clock.unix_ns(),
                boottime_ns=self._clock.boottime_ns(),
            )
            if found.resumed:
                # What the operators saw when they signed is forgotten; the next snapshot counts.
                self._evidence, self._seen = Evidence(), None
            await self._act(found)
            await self._press()
            if self._seen is not None and _losses(found.score) != _told(self._scored):
                await self._note_score(self._seen.snapshot.as_of_lsn)

    async def _act(self, found: Judgement) -> None:
        before, latest = self._memory.breaker, self._latest
        after = found.memory.breaker
        day_changed = found.memory.day != self._memory.day
        self._memory = found.memory
        if after == before and found.budgets == latest.budgets:
            self._latest = found
            if day_changed:
                await self._save()
        elif _tightens(before, after, latest.budgets, found.budgets):
            self._latest = found
            await self._issuer.send(self.stance(), tightens=True)
            await self._press()
            await self._record(before, found, self._issuer.sequence)
        else:
            # Relaxing: on record before anyone may act on it; the next renewal carries it.
            self._memory = replace(found.memory, breaker=before)
            await self._record(before, found, self._issuer.sequence + 1)
            self._memory, self._latest = replace(self._memory, breaker=after), found

    async def _record(self, before: Breaker, found: Judgement, lease_sequence: int) -> None:
        after = found.memory.breaker
        await self._save(after)
        decision = self._notes.moved(before, found, lease_sequence)
        await self._stores.records.add_decision(decision, self._issuer.brain_epoch)
        self._announcer.decision(decision)
        if after != before:
            self._announcer.state(self._notes.changed(before, after, decision.rule))
            self._log.info(
                "state", was=words(before), now=words(after), rule=decision.rule,
                score=found.score.score, halt_epoch=after.halt_epoch,
            )  # fmt: skip

    async def _save(self, breaker: Breaker | None = None) -> None:
        memory = self._memory
        self._kept = replace(
            self._kept,
            breaker=breaker or memory.breaker,
            edge_pending=memory.edge_pending,
            day=memory.day,
        )
        await self._stores.state.save(self._kept)

    async def _press(self) -> None:
        """Brings a halt of ours to the edge, again and again until it is true there."""
        now_ns = self._clock.boottime_ns()
        if not self._memory.edge_pending or now_ns < self._press_at_ns:
            return
        breaker = self._memory.breaker
        try:
            answer = await self._edge.halt(BRAIN, words(breaker), breaker.cause)
        except TitanError as fault:
            self._log.error("halt_not_at_edge", fault=str(fault), cause=words(breaker))
            self._press_at_ns = self._clock.boottime_ns() + self._press_wait_ns
            self._press_wait_ns = min(2 * self._press_wait_ns, PRESS_MAX_NS)
            return
        await self._pressed(answer.halt_epoch)

    async def _pressed(self, halt_epoch: int) -> None:
        self._press_wait_ns, self._press_at_ns = PRESS_FIRST_NS, 0
        breaker = with_epoch(self._memory.breaker, halt_epoch)
        self._memory = replace(self._memory, breaker=breaker, edge_pending=False)
        await self._save()

    def _on_grant(self, lease: RiskLease, answer: GrantLeaseResponse) -> None:
        behind = max(0, lease.applied_lsn - answer.durable_lsn)
        self._memory = replace(
            self._memory,
            durable_lsn=max(self._memory.durable_lsn, answer.durable_lsn),
            edge_behind_reports=max(self._memory.edge_behind_reports, behind),
        )

    async def _note_score(self, as_of_lsn: int) -> None:
        """Keeps and tells a score whose losses differ from the last one kept."""
        self._scored = self._notes.scored(self._latest.score, as_of_lsn)
        await self._stores.records.add_score(self._scored)
        self._announcer.score(self._scored)

    async def _tell(self, snapshot: TruthSnapshot) -> None:
        latest = self._latest
        mids = {row.symbol: row.mid_half_ticks for row in snapshot.positions}
        scored = self._notes.scored(latest.score, snapshot.as_of_lsn)
        await self._stores.records.set_marks(mids, scored.scored_at_ns)
        if _losses(latest.score) == _told(self._scored):
            # Kept already; consoles get the newest values all the same.
            self._scored = scored
            self._announcer.score(scored)
        result = latest.total
        self._announcer.dashboard(
            DashboardUpdated(
                account=self._notes.account,
                policy_hash=self._notes.policy_hash,
                state=self._memory.breaker.state,
                truth_score=latest.score.score,
                applied_lsn=latest.applied_lsn,
                net_pnl_nanos=result.net_nanos,
                fee_nanos=result.fee_nanos,
                updated_at_ns=scored.scored_at_ns,
            )
        )


def _losses(score: Score) -> list[int]:
    return [part.loss for part in score.components]


def _told(scored: TruthScored) -> list[int]:
    return [part.loss for part in scored.components]


def _tightens(
    before: Breaker, after: Breaker, budgets: tuple[Budget, ...], wanted: tuple[Budget, ...]
) -> bool:
    """True when the new lease allows less than the old one."""
    if after.state != before.state:
        return STATES.index(after.state) > STATES.index(before.state)
    return any(
        new.max_notional_nanos < old.max_notional_nanos
        for old, new in zip(budgets, wanted, strict=True)
    )
