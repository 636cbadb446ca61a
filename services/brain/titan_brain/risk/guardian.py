"""The guardian: everything that speaks against new risk, strongest first.

Owns the rules and their order. Pure. Must never act: it names the trigger, the breaker moves, the
issuer acts. Missing evidence is never read as bad evidence: blindness makes DEFENSIVE and heals by
itself; only contradiction, loss and limits halt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from titan_brain.risk.breaker import Trigger

# A difference must be seen, and then seen again twice, before it halts.
MISMATCH_CONFIRMED: Final = 3
# Reports behind Execution from which on the picture is too old for new risk.
MAX_LAG_REPORTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy says."""

    min_score_open: int
    min_score_reopen: int
    halt_below: int
    halt_armed_at: int
    truth_stale_ns: int
    max_restarts: int
    account_loss_nanos: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at an instant."""

    score: int = 0
    snapshot_age_ns: int = -1
    venue_connected: bool = False
    policy_matches: bool = False
    armed: bool = False
    is_normal: bool = False
    caught_up: bool = False
    lag_reports: int = 0
    venue_streak: int = 0
    record_streak: int = 0
    overfills: int = 0
    unapplicable: int = 0
    edge_behind_reports: int = 0
    restarts: int = 0
    account_loss_nanos: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that spoke: measured value against limit."""

    rule: str
    trigger: Trigger
    value: int
    limit: int


Compared = tuple[int, int] | None


def _at_least(value: int, limit: int) -> Compared:
    return (value, limit) if value >= limit else None


def _below(value: int, limit: int) -> Compared:
    return (value, limit) if value < limit else None


def _blind(facts: Facts, limits: Limits) -> Compared:
    if facts.snapshot_age_ns < 0:
        return -1, limits.truth_stale_ns
    return _at_least(facts.snapshot_age_ns, limits.truth_stale_ns + 1)


def _is_blind(facts: Facts, limits: Limits) -> bool:
    return _blind(facts, limits) is not None or not facts.venue_connected


def _truth_broken(facts: Facts, limits: Limits) -> Compared:
    if not facts.armed or _is_blind(facts, limits):
        return None
    return _below(facts.score, limits.halt_below)


def _truth_low(facts: Facts, limits: Limits) -> Compared:
    needed = limits.min_score_open if facts.is_normal else limits.min_score_reopen
    return _below(facts.score, needed)


Rule = tuple[str, Trigger, Callable[[Facts, Limits], Compared]]

# Strongest first: what halts, then what makes defensive.
RULES: Final[tuple[Rule, ...]] = (
    ("guardian.poison", Trigger.POISON, lambda f, _: _at_least(f.unapplicable, 1)),
    ("guardian.overfill", Trigger.MISMATCH, lambda f, _: _at_least(f.overfills, 1)),
    ("guardian.edge_behind", Trigger.MISMATCH, lambda f, _: _at_least(f.edge_behind_reports, 1)),
    (
        "guardian.venue_mismatch",
        Trigger.MISMATCH,
        lambda f, _: _at_least(f.venue_streak, MISMATCH_CONFIRMED),
    ),
    (
        "guardian.record_mismatch",
        Trigger.MISMATCH,
        lambda f, _: _at_least(f.record_streak, MISMATCH_CONFIRMED),
    ),
    (
        "guardian.daily_loss",
        Trigger.LOSS,
        lambda f, limits: _at_least(f.account_loss_nanos, limits.account_loss_nanos),
    ),
    (
        "guardian.restarts",
        Trigger.RESTARTS,
        lambda f, limits: _at_least(f.restarts, limits.max_restarts + 1),
    ),
    ("guardian.truth_broken", Trigger.TRUTH_BROKEN, _truth_broken),
    ("guardian.blind", Trigger.BLIND, _blind),
    ("guardian.venue_down", Trigger.BLIND, lambda f, _: None if f.venue_connected else (0, 1)),
    ("guardian.policy", Trigger.TRUTH_LOW, lambda f, _: None if f.policy_matches else (0, 1)),
    ("guardian.not_caught_up", Trigger.TRUTH_LOW, lambda f, _: None if f.caught_up else (0, 1)),
    ("guardian.lag", Trigger.TRUTH_LOW, lambda f, _: _at_least(f.lag_reports, MAX_LAG_REPORTS)),
    ("guardian.truth", Trigger.TRUTH_LOW, _truth_low),
)


def findings(facts: Facts, limits: Limits) -> tuple[Finding, ...]:
    """Every rule that speaks against new risk, strongest first; none means the evidence is good."""
    found = []
    for name, trigger, check in RULES:
        compared = check(facts, limits)
        if compared is not None:
            found.append(Finding(name, trigger, *compared))
    return tuple(found)


def is_armed(facts: Facts, limits: Limits, was_armed: bool) -> bool:
    """True once the score was high in this journal epoch; only then can a low one halt."""
    return was_armed or facts.score >= limits.halt_armed_at
