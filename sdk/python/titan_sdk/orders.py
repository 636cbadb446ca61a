"""What became of an intent: the immediate outcome, the reports that follow, and the handle that
gathers both.

Owns the author's view of one order. Rejects are data, never exceptions. Must never know sockets
or the bus.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from titan_sdk.intent import Intent
from titan_sdk.vocabulary import ExecType, Liquidity, OrdStatus, RecordKind, RejectReason, Side

_ENDED = frozenset(
    {
        OrdStatus.FILLED,
        OrdStatus.CANCELED,
        OrdStatus.REJECTED,
        OrdStatus.EXPIRED,
        OrdStatus.NOT_PLACED,
    }
)
_SUBMISSION_ENDED = frozenset({RecordKind.EXPIRED, RecordKind.ABORTED})


@dataclass(frozen=True, slots=True)
class Accepted:
    """Execution promised: the intent is durable and reaches the venue at most once."""

    lsn: int
    client_order_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A denial with its evidence. `local` tells that it never left this process."""

    reason: RejectReason
    value: int = 0
    limit: int = 0
    field: str = ""
    hint: str = ""
    local: bool = False

    def __str__(self) -> str:
        at = f" {self.field}" if self.field else ""
        return f"{self.reason.name}{at}: value {self.value}, limit {self.limit}"


Outcome = Accepted | Rejected


@dataclass(frozen=True, slots=True)
class Stamps:
    """Where the time of a submission went, CLOCK_BOOTTIME ns; 0 = never reached."""

    decided_ns: int = 0
    logged_ns: int = 0
    prepared_ns: int = 0
    accepted_ns: int = 0


class ReportView(Protocol):
    """What is read of titan.execution.v1.ExecutionReport, whichever family decoded it."""

    @property
    def lsn(self) -> int: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102
    @property
    def intent_id(self) -> bytes: ...  # noqa: D102
    @property
    def phase_id(self) -> str: ...  # noqa: D102
    @property
    def symbol(self) -> str: ...  # noqa: D102
    @property
    def client_order_id(self) -> str: ...  # noqa: D102
    @property
    def last_qty_lots(self) -> int: ...  # noqa: D102
    @property
    def last_price_ticks(self) -> int: ...  # noqa: D102
    @property
    def cum_qty_lots(self) -> int: ...  # noqa: D102
    @property
    def leaves_qty_lots(self) -> int: ...  # noqa: D102
    @property
    def fee_nanos(self) -> int: ...  # noqa: D102
    @property
    def position_lots(self) -> int: ...  # noqa: D102
    @property
    def recorded_at_ns(self) -> int: ...  # noqa: D102
    @property
    def venue_code(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def restated(self) -> bool: ...  # noqa: D102
    @property
    def kind(self) -> int: ...  # noqa: D102
    @property
    def side(self) -> int: ...  # noqa: D102
    @property
    def exec_type(self) -> int: ...  # noqa: D102
    @property
    def ord_status(self) -> int: ...  # noqa: D102
    @property
    def liquidity(self) -> int: ...  # noqa: D102
    @property
    def reject_reason(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Report:
    """One step of an order's life (FIX 35=8), as Execution recorded it."""

    lsn: int
    epoch: int
    kind: RecordKind
    intent_id: bytes
    symbol: str
    side: Side
    client_order_id: str
    exec_type: ExecType
    ord_status: OrdStatus
    last_qty_lots: int
    last_price_ticks: int
    cum_qty_lots: int
    leaves_qty_lots: int
    fee_nanos: int
    liquidity: Liquidity
    reject_reason: RejectReason
    venue_code: str
    text: str
    recorded_at_ns: int
    restated: bool

    @classmethod
    def from_wire(cls, wire: ReportView) -> Report:
        """Read a decoded ExecutionReport."""
        return cls(
            lsn=wire.lsn,
            epoch=wire.epoch,
            kind=RecordKind(int(wire.kind)),
            intent_id=bytes(wire.intent_id),
            symbol=wire.symbol,
            side=Side(int(wire.side)),
            client_order_id=wire.client_order_id,
            exec_type=ExecType(int(wire.exec_type)),
            ord_status=OrdStatus(int(wire.ord_status)),
            last_qty_lots=wire.last_qty_lots,
            last_price_ticks=wire.last_price_ticks,
            cum_qty_lots=wire.cum_qty_lots,
            leaves_qty_lots=wire.leaves_qty_lots,
            fee_nanos=wire.fee_nanos,
            liquidity=Liquidity(int(wire.liquidity)),
            reject_reason=RejectReason(int(wire.reject_reason)),
            venue_code=wire.venue_code,
            text=wire.text,
            recorded_at_ns=wire.recorded_at_ns,
            restated=wire.restated,
        )

    @property
    def is_fill(self) -> bool:
        """True when quantity was filled."""
        return self.kind is RecordKind.FILL


@dataclass(slots=True)
class OrderHandle:
    """One submitted intent and all that is known of it so far. Only the runtime changes it."""

    intent_id: bytes
    intent: Intent
    outcome: Outcome | None = None
    status: OrdStatus = OrdStatus.UNSPECIFIED
    cum_qty_lots: int = 0
    fee_nanos: int = 0
    filled_ticks_lots: int = 0
    cancel_asked_ns: int = 0
    stamps: Stamps = field(default_factory=Stamps)

    @property
    def rejected(self) -> Rejected | None:
        """The denial, if there was one."""
        return self.outcome if isinstance(self.outcome, Rejected) else None

    @property
    def accepted(self) -> bool:
        """True when Execution promised it, by answer or by report."""
        return isinstance(self.outcome, Accepted)

    @property
    def done(self) -> bool:
        """True when nothing more can come of it."""
        return self.rejected is not None or self.status in _ENDED

    @property
    def working(self) -> bool:
        """True while it may still fill; an UNKNOWN order is working."""
        return not self.done

    @property
    def leaves_qty_lots(self) -> int:
        """Lots that may still fill."""
        return 0 if self.done else self.intent.qty_lots - self.cum_qty_lots

    @property
    def average_price_ticks(self) -> float:
        """Mean fill price for people and statistics; 0.0 without fills."""
        return self.filled_ticks_lots / self.cum_qty_lots if self.cum_qty_lots else 0.0

    def apply(self, report: Report) -> None:
        """Take one report. A report about the intent proves that it was accepted."""
        if report.kind in _SUBMISSION_ENDED:
            self.status = (
                OrdStatus.EXPIRED if report.kind is RecordKind.EXPIRED else OrdStatus.CANCELED
            )
        elif report.ord_status is not OrdStatus.UNSPECIFIED:
            self.status = report.ord_status
        if report.kind is RecordKind.FILL:
            self.cum_qty_lots += report.last_qty_lots
            self.filled_ticks_lots += report.last_qty_lots * report.last_price_ticks
            self.fee_nanos += report.fee_nanos
        elif report.kind is RecordKind.BUST:
            self.cum_qty_lots -= report.last_qty_lots
            self.filled_ticks_lots -= report.last_qty_lots * report.last_price_ticks
        elif report.kind is RecordKind.CANCEL_REJECT:
            self.cancel_asked_ns = 0
        if self.outcome is None:
            self.outcome = Accepted(report.lsn, report.client_order_id)
