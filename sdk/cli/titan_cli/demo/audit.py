"""Lost, doubled, applied: counted from the venue's log against journal, Brain and author. Pure.

Must never take a count from the process whose promise is checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from titan.brain.v1 import brain_service_pb2
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.venue.v1 import order_log_pb2

from titan_cli.demo.intent_log import AuthorsRecord
from titan_cli.demo.journal import ANSWERS, ENDS_WITHOUT_ORDER, Journal, Report
from titan_cli.demo.venue_log import Entry

Funnel = brain_service_pb2.GetFunnelResponse
_REQUESTS = (order_log_pb2.ORDER_LOG_KIND_ACCEPTED, order_log_pb2.ORDER_LOG_KIND_REJECTED)


@dataclass(frozen=True, slots=True)
class Audit:
    """What the witness says."""

    lost: tuple[str, ...]
    duplicates: tuple[str, ...]
    unbound: tuple[str, ...]
    venue_reports: int
    applied_reports: int
    venue_orders: int
    venue_fills: int
    venue_filled_orders: int
    venue_fee_nanos: int


def audit(
    entries: Sequence[Entry], journal: Journal, author: AuthorsRecord, funnel: Funnel
) -> Audit:
    """The account of a run that has come to rest."""
    trades = [e for e in entries if e.kind == order_log_pb2.ORDER_LOG_KIND_TRADE]
    reports = [e for e in entries if e.kind != order_log_pb2.ORDER_LOG_KIND_START]
    applied = _applied(journal, funnel.applied_lsn)
    return Audit(
        lost=tuple(_lost(entries, journal, author)),
        duplicates=tuple(_duplicates(entries, journal)),
        unbound=tuple(
            sorted(
                {e.client_order_id for e in entries if e.kind in _REQUESTS}
                - journal.by_order.keys()
            )
        ),
        venue_reports=len(reports),
        applied_reports=sum(1 for entry in reports if _key(entry) in applied),
        venue_orders=sum(1 for e in entries if e.kind == order_log_pb2.ORDER_LOG_KIND_ACCEPTED),
        venue_fills=len(trades),
        venue_filled_orders=len({e.client_order_id for e in trades}),
        venue_fee_nanos=sum(e.trade.fee_nanos for e in trades),
    )


def _lost(entries: Sequence[Entry], journal: Journal, author: AuthorsRecord) -> list[str]:
    """Promises without an order and without evidence; orders that the record forgot."""
    taken = {e.client_order_id for e in entries if e.kind == order_log_pb2.ORDER_LOG_KIND_ACCEPTED}
    asked = {e.client_order_id for e in entries if e.kind in _REQUESTS}
    lost = [
        f"intent {i.hex()}: accepted, not in the journal"
        for i in sorted(author.accepted - journal.by_intent.keys())
    ]
    for order_id, promise in journal.by_order.items():
        kinds = promise.kinds()
        if order_id in taken and not kinds & ANSWERS:
            lost.append(f"order {order_id}: at the venue, forgotten by the record")
        elif order_id not in asked and not kinds & ENDS_WITHOUT_ORDER:
            lost.append(f"order {order_id}: promised, never at the venue, no evidence")
    return lost


def _duplicates(entries: Sequence[Entry], journal: Journal) -> list[str]:
    """Requests that reached the venue twice; fills recorded twice or never made."""
    asked = Counter(e.client_order_id for e in entries if e.kind in _REQUESTS)
    doubled = [f"order {name}: {n} requests at the venue" for name, n in asked.items() if n > 1]
    made = {
        (e.client_order_id, e.trade.trade_id)
        for e in entries
        if e.kind == order_log_pb2.ORDER_LOG_KIND_TRADE
    }
    booked = Counter(
        (r.client_order_id, r.trade_id)
        for r in journal.reports
        if r.kind == report_pb2.RECORD_KIND_FILL
    )
    doubled += [f"fill {key[1]}: recorded {n} times" for key, n in booked.items() if n > 1]
    doubled += [f"fill {key[1]}: recorded, never made" for key in booked.keys() - made]
    return doubled


_Key = tuple[str, str, str]


def _key(entry: Entry) -> _Key:
    if entry.kind == order_log_pb2.ORDER_LOG_KIND_TRADE:
        return ("trade", entry.client_order_id, entry.trade.trade_id)
    if entry.kind == order_log_pb2.ORDER_LOG_KIND_CANCELED:
        return ("canceled", entry.client_order_id, "")
    taken = entry.kind == order_log_pb2.ORDER_LOG_KIND_ACCEPTED
    return ("taken" if taken else "refused", entry.client_order_id, "")


def _applied(journal: Journal, applied_lsn: int) -> set[_Key]:
    """What the record says of the venue's reports, as far as the Brain has applied it."""
    keys: set[_Key] = set()
    for report in journal.reports:
        if report.lsn > applied_lsn:
            break
        keys.update(_keys_of(report))
    return keys


def _keys_of(report: Report) -> list[_Key]:
    order_id = report.client_order_id
    if report.kind == report_pb2.RECORD_KIND_VENUE_REJECT:
        return [("refused", order_id, "")]
    if report.kind not in ANSWERS:
        return []
    keys: list[_Key] = [("taken", order_id, "")]
    if report.kind == report_pb2.RECORD_KIND_FILL:
        keys.append(("trade", order_id, report.trade_id))
    if report.kind == report_pb2.RECORD_KIND_CANCELED:
        keys.append(("canceled", order_id, ""))
    return keys
