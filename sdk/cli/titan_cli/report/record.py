"""What one demo run left behind, as plain data. Must never hold a connection or a message.

Times are UNIX ns of the run; money is nanos (1e-9) of the settlement currency; prices are ticks.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MidSample:
    """Middle of the book at an instant."""

    at_ns: int
    mid_half_ticks: int


@dataclass(frozen=True, slots=True)
class FillMark:
    """One fill as the venue's log has it."""

    at_ns: int
    symbol: str
    buys: bool
    price_ticks: int
    qty_lots: int
    fee_nanos: int


@dataclass(frozen=True, slots=True)
class TruthSample:
    """Truth score and the Brain's state at an instant."""

    at_ns: int
    score: int
    state: str


@dataclass(frozen=True, slots=True)
class UnansweredIntent:
    """An intent that was accepted and not yet answered by the venue when Execution was killed."""

    client_order_id: str
    confirmed_lsn: int
    in_venue_log: bool
    outcome: str
    resolved_after_ms: int


@dataclass(frozen=True, slots=True)
class KillMark:
    """One kill -9 of Execution and what came of it."""

    at_ns: int
    ready_again_ns: int
    epoch_before: int
    epoch_after: int
    unanswered: tuple[UnansweredIntent, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of success with its measured value."""

    name: str
    wanted: str
    measured: str
    holds: bool


@dataclass(frozen=True, slots=True)
class InstrumentGrid:
    """What turns ticks and lots into money for the page."""

    symbol: str
    tick_size: str
    lot_size: str
    nanos_per_tick_lot: int
    currency: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything the page shows."""

    title: str
    market: str
    seed: int
    started_ns: int
    seconds: float
    market_seconds: int
    policy_hash: str
    grid: InstrumentGrid
    funnel: tuple[tuple[str, int], ...]
    rejects: tuple[tuple[str, int], ...]
    conditions: tuple[Condition, ...]
    net_pnl_nanos: int
    fee_nanos: int
    truth_score: int
    mids: tuple[MidSample, ...] = ()
    fills: tuple[FillMark, ...] = ()
    truth: tuple[TruthSample, ...] = ()
    kills: tuple[KillMark, ...] = ()
    confirm_latency_us: tuple[int, ...] = ()
    venue_latency_us: tuple[int, ...] = ()
    explained: str = ""
    assumptions: tuple[tuple[str, str], ...] = field(default=())

    @property
    def passed(self) -> bool:
        """True when every condition holds."""
        return bool(self.conditions) and all(condition.holds for condition in self.conditions)
