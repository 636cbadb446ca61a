"""Daily loss: what was lost since the UTC day began, per phase and for the account.

Owns the arithmetic of a day. Must never read a clock or a database: the caller says what time it
is. Results count realised and unrealised money at mid with fees taken off. A new day opens at the
result where the last one was seen; operators who lift a halt for loss open the day anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ACCOUNT: Final = ""
DAY_NS: Final = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class LossLimits:
    """Largest losses of one day, nanos."""

    account_nanos: int
    phase_nanos: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Day:
    """Results at the opening of a day, by phase; ACCOUNT for all of them."""

    number: int = -1
    opening_nanos: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Losses:
    """What a day lost so far, nanos, never negative; and who is beyond the limit."""

    account_nanos: int
    phase_nanos: Mapping[str, int]
    account_breached: bool
    breached_phases: frozenset[str]


def day_number(unix_ns: int) -> int:
    """UTC days since 1970."""
    return unix_ns // DAY_NS


def open_day(number: int, results_nanos: Mapping[str, int]) -> Day:
    """A day that opens at the given results per phase."""
    return Day(number, {**results_nanos, ACCOUNT: sum(results_nanos.values())})


def roll(day: Day, unix_ns: int, results_nanos: Mapping[str, int]) -> Day:
    """The same day, or the next one opened at these results; days never run backwards."""
    number = day_number(unix_ns)
    if day.number < 0:
        # The first day of a database opens at nothing earned and nothing lost.
        return Day(number, {ACCOUNT: 0})
    return day if number <= day.number else open_day(number, results_nanos)


def losses(day: Day, results_nanos: Mapping[str, int], limits: LossLimits) -> Losses:
    """Losses of the day at these results."""
    account = max(0, day.opening_nanos.get(ACCOUNT, 0) - sum(results_nanos.values()))
    phases = {
        phase: max(0, day.opening_nanos.get(phase, 0) - results_nanos.get(phase, 0))
        for phase in {*limits.phase_nanos, *results_nanos}
    }
    breached = frozenset(
        phase for phase, limit in limits.phase_nanos.items() if phases[phase] >= limit
    )
    return Losses(account, phases, account >= limits.account_nanos, breached)
