"""The journal folded per intent: what was promised, how it ended. Must never do I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.trading.v1 import order_pb2

Report = report_pb2.ExecutionReport

ANSWERS = frozenset(
    {
        report_pb2.RECORD_KIND_VENUE_ACK,
        report_pb2.RECORD_KIND_VENUE_REJECT,
        report_pb2.RECORD_KIND_FILL,
        report_pb2.RECORD_KIND_CANCELED,
        report_pb2.RECORD_KIND_ADOPTED,
    }
)
ENDS_WITHOUT_ORDER = frozenset(
    {
        report_pb2.RECORD_KIND_NOT_PLACED,
        report_pb2.RECORD_KIND_EXPIRED,
        report_pb2.RECORD_KIND_ABORTED,
    }
)


@dataclass(slots=True)
class Promise:
    """One confirmed intent and every record after it."""

    confirmed: Report
    later: list[Report] = field(default_factory=list)

    def kinds(self) -> set[int]:
        """Kinds of the records after the promise."""
        return {report.kind for report in self.later}

    def first_answer(self) -> Report | None:
        """The venue's first answer on record."""
        return next((report for report in self.later if report.kind in ANSWERS), None)

    def ended_as(self) -> str:
        """Status after the newest record that has one."""
        for report in reversed(self.later):
            if report.ord_status:
                return _short(order_pb2.OrdStatus.Name(report.ord_status), "ORD_STATUS_")
        return "PENDING_NEW"


def _short(name: str, prefix: str) -> str:
    return name.removeprefix(prefix)


@dataclass(slots=True)
class Journal:
    """The whole journal as the audit needs it."""

    reports: list[Report] = field(default_factory=list)
    by_order: dict[str, Promise] = field(default_factory=dict)
    by_intent: dict[bytes, Promise] = field(default_factory=dict)

    @property
    def last_lsn(self) -> int:
        """Newest LSN; 0 of an empty journal."""
        return self.reports[-1].lsn if self.reports else 0


def fold(reports: Iterable[Report]) -> Journal:
    """Folds reports in LSN order; a gap is an error of the source and fails here."""
    journal = Journal()
    for report in reports:
        assert report.lsn == journal.last_lsn + 1, f"LSN {report.lsn} after {journal.last_lsn}"
        journal.reports.append(report)
        if report.kind == report_pb2.RECORD_KIND_CONFIRMED:
            promise = Promise(report)
            journal.by_intent[report.intent_id] = promise
            journal.by_order[report.client_order_id] = promise
        elif report.client_order_id in journal.by_order:
            journal.by_order[report.client_order_id].later.append(report)
        elif report.intent_id in journal.by_intent:
            journal.by_intent[report.intent_id].later.append(report)
    return journal


def unanswered_in(journal: Journal, epoch: int) -> list[Promise]:
    """Promises of an epoch that the venue had not answered when the epoch ended."""
    return [
        promise
        for promise in journal.by_order.values()
        if promise.confirmed.epoch == epoch and _answer_epoch(promise) != epoch
    ]


def _answer_epoch(promise: Promise) -> int:
    answer = promise.first_answer()
    return answer.epoch if answer is not None else 0


def orders_filled_in(journal: Journal, epoch: int) -> int:
    """Orders that were both confirmed and filled in one epoch."""
    return sum(
        1
        for promise in journal.by_order.values()
        if promise.confirmed.epoch == epoch
        and any(r.kind == report_pb2.RECORD_KIND_FILL and r.epoch == epoch for r in promise.later)
    )


def confirm_latencies_us(journal: Journal) -> tuple[int, ...]:
    """PREPARE's arrival to the CONFIRMED record."""
    return tuple(
        (promise.confirmed.recorded_boottime_ns - promise.confirmed.prepared_boottime_ns) // 1000
        for promise in journal.by_order.values()
        if promise.confirmed.prepared_boottime_ns
    )


def venue_latencies_us(journal: Journal) -> tuple[int, ...]:
    """CONFIRMED to the venue's first answer, where no restart lies between."""
    found: list[int] = []
    for promise in journal.by_order.values():
        answer = promise.first_answer()
        if answer is not None and answer.epoch == promise.confirmed.epoch:
            took_ns = answer.recorded_boottime_ns - promise.confirmed.recorded_boottime_ns
            found.append(took_ns // 1000)
    return tuple(found)
