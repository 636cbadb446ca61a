"""What the Brain's rules say of an intent that is not sent.

Owns the checks of the preview. Pure. Must never promise more than the Brain knows: books, open
orders and rates are Execution's, which asks them again at PREPARE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from titan.rejections import DENIALS
from titan.risk.v1.trading_state_pb2 import TRADING_STATE_HALTED, TRADING_STATE_NORMAL
from titan.trading.v1 import reject_reason_pb2 as reason
from titan.trading.v1.instrument_pb2 import InstrumentSpec
from titan.trading.v1.intent_pb2 import IntentSignal
from titan_mesh import money

from titan_brain.leases.judgement import Judgement
from titan_brain.risk.breaker import Breaker
from titan_brain.risk.terms import Terms


@dataclass(frozen=True, slots=True)
class View:
    """What a preview is computed from."""

    account: str
    terms: Terms
    instruments: Mapping[str, InstrumentSpec]
    breaker: Breaker
    latest: Judgement
    held_notional_nanos: Mapping[str, int]


def _check(
    name: reason.RejectReason.ValueType, value: int, limit: int, passed: bool
) -> reason.Check:
    return reason.Check(reason=name, value=value, limit=limit, passed=passed)


def preview(intent: IntentSignal, view: View) -> list[reason.Check]:
    """Checks in order, up to and including the first that fails."""
    done: list[reason.Check] = []
    for check in (*_identity(intent, view), *_order(intent, view), *_risk(intent, view)):
        done.append(check)
        if not check.passed:
            break
    return done


def rejection_of(checks: list[reason.Check]) -> reason.Rejection | None:
    """The denial of the last check when it failed."""
    if not checks or checks[-1].passed:
        return None
    last = checks[-1]
    denial = DENIALS.get(last.reason)
    return reason.Rejection(
        reason=last.reason,
        value=last.value,
        limit=last.limit,
        hint=denial.hint if denial else "",
    )


def _identity(intent: IntentSignal, view: View) -> list[reason.Check]:
    spec = view.instruments.get(intent.symbol)
    listed = spec is not None and intent.symbol in view.terms.instruments
    same_hash = intent.policy_hash == view.terms.policy_hash
    known_phase = intent.phase_id in view.terms.phase_notional_nanos
    version = spec.version if spec is not None else 0
    return [
        _check(reason.REJECT_REASON_POLICY_HASH_MISMATCH, int(same_hash), 1, same_hash),
        _check(
            reason.REJECT_REASON_UNKNOWN_ACCOUNT,
            int(intent.account == view.account),
            1,
            intent.account == view.account,
        ),
        _check(reason.REJECT_REASON_UNKNOWN_INSTRUMENT, int(listed), 1, listed),
        _check(
            reason.REJECT_REASON_INSTRUMENT_VERSION,
            intent.instrument_version,
            version,
            not listed or intent.instrument_version == version,
        ),
        _check(reason.REJECT_REASON_UNKNOWN_PHASE, int(known_phase), 1, known_phase),
    ]


def _order(intent: IntentSignal, view: View) -> list[reason.Check]:
    limits = view.terms.instruments.get(intent.symbol)
    spec = view.instruments.get(intent.symbol)
    if limits is None or spec is None:
        return []
    notional = intent.price_ticks * intent.qty_lots * spec.notional_nanos_per_tick_lot
    largest = money.nanos_of(limits.max_order_notional)
    return [
        _check(
            reason.REJECT_REASON_ORDER_QTY_LIMIT,
            intent.qty_lots,
            limits.max_order_qty_lots,
            spec.min_qty_lots <= intent.qty_lots <= limits.max_order_qty_lots,
        ),
        _check(reason.REJECT_REASON_ORDER_NOTIONAL_LIMIT, notional, largest, notional <= largest),
    ]


def _risk(intent: IntentSignal, view: View) -> list[reason.Check]:
    """What only new risk must pass."""
    if intent.reduce_only:
        return []
    latest, terms = view.latest, view.terms
    state = view.breaker.state
    spec = view.instruments.get(intent.symbol)
    per = spec.notional_nanos_per_tick_lot if spec is not None else 0
    notional = intent.price_ticks * intent.qty_lots * per
    held = view.held_notional_nanos.get(intent.phase_id, 0)
    lost = latest.losses.phase_nanos.get(intent.phase_id, 0)
    may_lose = terms.losses.phase_nanos.get(intent.phase_id, 0)
    budget = next(
        (b.max_notional_nanos for b in latest.budgets if b.phase_id == intent.phase_id), 0
    )
    gross = sum(view.held_notional_nanos.values()) + notional
    return [
        _check(
            reason.REJECT_REASON_TRADING_HALTED
            if state == TRADING_STATE_HALTED
            else reason.REJECT_REASON_TRADING_DEFENSIVE,
            state,
            TRADING_STATE_NORMAL,
            state == TRADING_STATE_NORMAL,
        ),
        _check(
            reason.REJECT_REASON_TRUTH_BELOW_THRESHOLD,
            latest.score.score,
            terms.limits.min_score_open,
            latest.score.score >= terms.limits.min_score_open,
        ),
        _check(reason.REJECT_REASON_DAILY_LOSS_LIMIT, lost, may_lose, lost < may_lose),
        _check(
            reason.REJECT_REASON_PHASE_BUDGET, held + notional, budget, held + notional <= budget
        ),
        _check(
            reason.REJECT_REASON_GROSS_EXPOSURE_LIMIT,
            gross,
            terms.max_gross_nanos,
            gross <= terms.max_gross_nanos,
        ),
    ]
