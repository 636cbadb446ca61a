"""One look at everything: picture, truth, budgets, findings, and the breaker that follows.

Owns the order in which the rules are asked. Must never act: the governor acts on what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from titan_brain.allocation.allocator import Budget, allocate, gross_nanos
from titan_brain.ledger.valuation import Result, results_by_phase, total
from titan_brain.risk.brake import must_press_again, trigger_of
from titan_brain.risk.breaker import NORMAL, Breaker, Trigger, step, with_epoch
from titan_brain.risk.budget import Day, Losses, day_number, losses, open_day, roll
from titan_brain.risk.guardian import Facts, Finding, findings, is_armed
from titan_brain.risk.terms import Terms
from titan_brain.store.pictures import Picture
from titan_brain.truth.inputs import Seen, inputs_of
from titan_brain.truth.score import Score, score_of


@dataclass(frozen=True, slots=True)
class Memory:
    """What a look needs from the one before."""

    breaker: Breaker
    day: Day
    edge_pending: bool = False
    armed_epoch: int = 0
    unapplicable: int = 0
    edge_behind_reports: int = 0
    caught_up: bool = False
    durable_lsn: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one look found."""

    memory: Memory
    score: Score
    findings: tuple[Finding, ...]
    resumed: bool
    results: Mapping[str, Result]
    losses: Losses
    budgets: tuple[Budget, ...]
    max_gross_nanos: int
    applied_lsn: int

    @property
    def total(self) -> Result:
        """Result of the account."""
        return total(self.results.values())

    def closed(self) -> Judgement:
        """The same without any budget."""
        budgets = tuple(Budget(budget.phase_id, 0, False) for budget in self.budgets)
        return replace(self, budgets=budgets, max_gross_nanos=0)


def judge(
    picture: Picture,
    seen: Seen | None,
    memory: Memory,
    terms: Terms,
    per_tick_lot: Mapping[str, int],
    *,
    unix_ns: int,
    boottime_ns: int,
) -> Judgement:
    """The whole judgement at an instant."""
    mids = dict(picture.mid_half_ticks)
    if seen is not None:
        mids |= {r.symbol: r.mid_half_ticks for r in seen.snapshot.positions if r.mid_half_ticks}
    results = results_by_phase(picture.positions, mids, per_tick_lot)
    nets = {phase: result.net_nanos for phase, result in results.items()}
    memory, resumed = _braked(memory, picture, nets, unix_ns)
    day = roll(memory.day, unix_ns, nets)
    lost = losses(day, nets, terms.losses)

    applied_lsn = picture.cursor.applied_lsn
    inputs = inputs_of(seen, terms.bounds, applied_lsn, memory.durable_lsn, boottime_ns)
    score = score_of(inputs)
    evidence = None if seen is None or resumed else seen.reconciliation.evidence
    exec_epoch = evidence.exec_epoch if evidence else 0
    facts = Facts(
        score=score.score,
        snapshot_age_ns=inputs.snapshot_age_ns,
        venue_connected=inputs.venue_connected,
        policy_matches=inputs.policy_matches,
        armed=memory.armed_epoch > 0 and memory.armed_epoch == exec_epoch,
        is_normal=memory.breaker.state == NORMAL,
        caught_up=memory.caught_up,
        lag_reports=max(0, inputs.lag_reports),
        venue_streak=evidence.venue_streak if evidence else 0,
        record_streak=evidence.record_streak if evidence else 0,
        overfills=picture.overfills,
        unapplicable=memory.unapplicable,
        edge_behind_reports=memory.edge_behind_reports,
        restarts=picture.restarts,
        account_loss_nanos=lost.account_nanos,
    )
    found = findings(facts, terms.limits)
    breaker = step(memory.breaker, found[0].trigger if found else Trigger.RECOVERED)
    armed = is_armed(facts, terms.limits, facts.armed)
    budgets = allocate(breaker.state, terms.phase_notional_nanos, lost.breached_phases)
    return Judgement(
        memory=replace(
            memory,
            breaker=breaker,
            day=day,
            # A halt that begins here still has to become true at the edge.
            edge_pending=memory.edge_pending
            or (breaker.is_halted and not memory.breaker.is_halted),
            armed_epoch=exec_epoch if armed else 0,
        ),
        score=score,
        findings=found,
        resumed=resumed,
        results=results,
        losses=lost,
        budgets=budgets,
        max_gross_nanos=gross_nanos(budgets, terms.max_gross_nanos),
        applied_lsn=applied_lsn,
    )


def _braked(
    memory: Memory, picture: Picture, nets: Mapping[str, int], unix_ns: int
) -> tuple[Memory, bool]:
    """The memory after the brake records of the journal; True when they lifted a halt."""
    cursor = picture.cursor
    trigger = trigger_of(cursor, memory.breaker, memory.edge_pending)
    breaker, day = memory.breaker, memory.day
    resumed = trigger is Trigger.RESUMED
    if trigger is not None:
        breaker = step(breaker, trigger)
    if cursor.halted or resumed:
        breaker = with_epoch(breaker, cursor.halt_epoch)
    if resumed:
        # What the operators knew when they signed does not halt again: it counts anew from here.
        day = open_day(day_number(unix_ns), nets)
    again = must_press_again(cursor, breaker)
    pending = (memory.edge_pending or again) and not cursor.halted
    memory = replace(memory, breaker=breaker, day=day, edge_pending=pending)
    if resumed:
        memory = replace(memory, unapplicable=0, edge_behind_reports=0)
    return memory, resumed
