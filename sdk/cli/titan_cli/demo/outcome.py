"""From the audit to conditions, JSON line and report. Pure; must never soften a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from titan.venue.v1 import order_log_pb2

from titan_cli.demo import journal as journals
from titan_cli.demo.audit import Audit, Funnel
from titan_cli.demo.journal import Journal
from titan_cli.demo.kill import Kill
from titan_cli.demo.venue_log import Entry
from titan_cli.operator.why import reason_name
from titan_cli.report.record import Condition, FillMark, KillMark, UnansweredIntent

MIN_CONFIRMED = 100
MIN_FILLS = 50
_BUY = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a finished run left behind."""

    entries: Sequence[Entry]
    journal: Journal
    audit: Audit
    funnel: Funnel
    kills: Sequence[Kill]
    signals: int
    truth_score: int


def prepared(evidence: Evidence) -> int:
    """Intents known to have held a reservation: approved verdicts, or promises whose verdict fell
    with the killed process.
    """
    return max(int(evidence.funnel.approved), len(evidence.journal.by_order))


def conditions(evidence: Evidence) -> tuple[Condition, ...]:
    """What must hold for exit code 0."""
    audit, funnel = evidence.audit, evidence.funnel
    hit = sum(len(unanswered(evidence.journal, kill)) for kill in evidence.kills)
    last_epoch = evidence.kills[-1].epoch_after if evidence.kills else 0
    refilled = journals.orders_filled_in(evidence.journal, last_epoch)
    confirmed = len(evidence.journal.by_order)
    return (
        _equal("lost", 0, len(audit.lost)),
        _equal("duplicates", 0, len(audit.duplicates)),
        _equal("orders without a promise", 0, len(audit.unbound)),
        _least("confirmed", MIN_CONFIRMED, confirmed),
        _least("fills", MIN_FILLS, audit.venue_fills),
        _least("unanswered intents hit by the kill", 1, hit),
        _least("orders filled in the new epoch", 1, refilled),
        _equal("venue reports applied by the Brain", audit.venue_reports, audit.applied_reports),
        _equal("fills by the Brain", audit.venue_fills, int(funnel.fills)),
        _equal("fees by the Brain, nanos", audit.venue_fee_nanos, int(funnel.fee_nanos)),
    )


def _equal(name: str, wanted: int, measured: int) -> Condition:
    return Condition(name, f"{wanted:,}", f"{measured:,}", wanted == measured)


def _least(name: str, wanted: int, measured: int) -> Condition:
    return Condition(name, f"at least {wanted:,}", f"{measured:,}", measured >= wanted)


def unanswered(journal: Journal, kill: Kill) -> list[UnansweredIntent]:
    """The intents that a kill caught between promise and answer."""
    found = []
    for promise in journals.unanswered_in(journal, kill.epoch_before):
        answer = promise.first_answer()
        closed = answer or (promise.later[-1] if promise.later else None)
        after_ns = closed.recorded_at_ns - kill.at_ns if closed is not None else -1
        found.append(
            UnansweredIntent(
                client_order_id=promise.confirmed.client_order_id,
                confirmed_lsn=promise.confirmed.lsn,
                in_venue_log=answer is not None,
                outcome=promise.ended_as(),
                resolved_after_ms=after_ns // 1_000_000,
            )
        )
    return found


def kill_marks(evidence: Evidence) -> tuple[KillMark, ...]:
    """Kills as the report shows them."""
    asked = {e.client_order_id for e in evidence.entries if e.client_order_id}
    marks = []
    for kill in evidence.kills:
        caught = tuple(
            UnansweredIntent(
                intent.client_order_id,
                intent.confirmed_lsn,
                intent.client_order_id in asked,
                intent.outcome,
                intent.resolved_after_ms,
            )
            for intent in unanswered(evidence.journal, kill)
        )
        marks.append(
            KillMark(kill.at_ns, kill.ready_again_ns, kill.epoch_before, kill.epoch_after, caught)
        )
    return tuple(marks)


def fill_marks(entries: Sequence[Entry]) -> tuple[FillMark, ...]:
    """Fills as the venue's log has them."""
    orders = {
        e.client_order_id: e.order
        for e in entries
        if e.kind == order_log_pb2.ORDER_LOG_KIND_ACCEPTED
    }
    return tuple(
        FillMark(
            at_ns=e.venue_time_ns,
            symbol=orders[e.client_order_id].symbol,
            buys=orders[e.client_order_id].side == _BUY,
            price_ticks=e.trade.price_ticks,
            qty_lots=e.trade.qty_lots,
            fee_nanos=e.trade.fee_nanos,
        )
        for e in entries
        if e.kind == order_log_pb2.ORDER_LOG_KIND_TRADE and e.client_order_id in orders
    )


def funnel_rows(evidence: Evidence) -> tuple[tuple[str, int], ...]:
    """From signal to fill."""
    return (
        ("signals", evidence.signals),
        ("approved", prepared(evidence)),
        ("prepared", prepared(evidence)),
        ("confirmed", len(evidence.journal.by_order)),
        ("filled", evidence.audit.venue_filled_orders),
    )


def reject_rows(funnel: Funnel) -> tuple[tuple[str, int], ...]:
    """Refusals by reason, most frequent first."""
    return tuple((reason_name(row.reason), int(row.count)) for row in funnel.rejects)


def json_line(
    evidence: Evidence, policy_hash: str, seconds: float, report_path: str
) -> dict[str, object]:
    """The object of the last line: exactly these keys."""
    rows = dict(funnel_rows(evidence))
    return {
        "lost": len(evidence.audit.lost),
        "duplicates": len(evidence.audit.duplicates),
        "signals": rows["signals"],
        "approved": rows["approved"],
        "prepared": rows["prepared"],
        "confirmed": rows["confirmed"],
        "filled": rows["filled"],
        "venue_reports": evidence.audit.venue_reports,
        "applied_reports": evidence.audit.applied_reports,
        "kills": len(evidence.kills),
        "truth_score": evidence.truth_score,
        "policy_hash": policy_hash,
        "net_pnl": float(Decimal(evidence.funnel.net_pnl_nanos) / 10**9),
        "fees": float(Decimal(evidence.funnel.fee_nanos) / 10**9),
        "seconds": round(seconds, 2),
        "report_path": report_path,
    }
