"""Every denial of the gate, through the engine's verbs, with value and limit."""

from __future__ import annotations

import pytest
from titan.fastpath.v1 import frames_pb2 as frames
from titan.risk.v1 import lease_pb2, trading_state_pb2
from titan.trading.v1 import order_pb2, reject_reason_pb2
from titan_testkit.engine_rig import ASK, BID, MS, PHASE, EngineRig

SELL = order_pb2.SIDE_SELL
GTC = order_pb2.TIME_IN_FORCE_GTC


def reason(name):
    return reject_reason_pb2.RejectReason.Value(f"REJECT_REASON_{name}")


def refused(answer, name, field=None):
    assert isinstance(answer, frames.Refused), answer
    got = reject_reason_pb2.RejectReason.Name(answer.rejection.reason)
    assert got == f"REJECT_REASON_{name}", (got, answer)
    if field is not None:
        assert answer.rejection.field == field
    return answer.rejection


def account(**changes):
    return lambda policy: policy["account"].update(changes)


def instrument(**changes):
    return lambda policy: policy["instruments"][0].update(changes)


def phase(**changes):
    return lambda policy: policy["phases"][0].update(changes)


@pytest.fixture
def rig():
    return EngineRig().open()


def test_a_good_intent_is_prepared_and_accepted(rig):
    intent = rig.intent()
    prepared = rig.prepare(intent)
    assert prepared.expires_boottime_ns == rig.now_ns + 1000 * MS
    accepted = rig.confirm(prepared)
    assert accepted.lsn == rig.records[-1].lsn
    (request,) = rig.pending("submit_order")
    assert request.submit_order.client_order_id == accepted.client_order_id
    assert request.submit_order.expires_boottime_ns == rig.now_ns + 20 * MS


def test_confirmed_carries_intent_digest_and_checks(rig):
    intent = rig.intent()
    rig.submit(intent)
    report = rig.records[-1]
    assert report.send_imminent
    assert report.intent == intent
    assert len(report.intent_digest) == 32
    reasons = [check.reason for check in report.checks]
    assert reason("POSITION_LIMIT") in reasons
    assert reason("PRICE_COLLAR") in reasons
    assert all(check.passed for check in report.checks)


def test_a_verdict_names_every_check_and_the_failed_one_last(rig):
    rig.prepare(rig.intent(qty_lots=1001))
    (verdict,) = rig.verdicts()
    assert not verdict.approved
    assert verdict.checks[-1].reason == verdict.rejection.reason == reason("ORDER_QTY_LIMIT")
    assert [check.passed for check in verdict.checks[:-1]] == [True] * (len(verdict.checks) - 1)


@pytest.mark.parametrize(
    ("changes", "name", "field"),
    [
        ({"intent_id": b"short"}, "MALFORMED", "intent_id"),
        ({"side": 9}, "UNKNOWN_ENUM", "side"),
        ({"side": 0}, "MALFORMED", "side"),
        ({"order_type": 7}, "UNKNOWN_ENUM", "order_type"),
        ({"time_in_force": 77}, "UNKNOWN_ENUM", "time_in_force"),
        ({"price_ticks": 0}, "PRICE_INVALID", "price_ticks"),
        ({"price_ticks": -5}, "PRICE_INVALID", "price_ticks"),
        ({"qty_lots": 0}, "MALFORMED", "qty_lots"),
        ({"policy_hash": bytes(32)}, "POLICY_HASH_MISMATCH", "policy_hash"),
        ({"account": "other"}, "UNKNOWN_ACCOUNT", "account"),
        ({"symbol": "DOGEUSDT"}, "UNKNOWN_INSTRUMENT", "symbol"),
        ({"instrument_version": 2}, "INSTRUMENT_VERSION", "instrument_version"),
        ({"qty_lots": 1001}, "ORDER_QTY_LIMIT", "instruments.max_order_qty_lots"),
        ({"qty_lots": 2_000_000}, "ORDER_QTY_LIMIT", "qty_lots"),
        ({"qty_lots": 1}, "ORDER_NOTIONAL_LIMIT", "instrument.min_notional"),
        ({"price_ticks": ASK + 13_000}, "PRICE_COLLAR", "instruments.price_collar_ppm"),
        (
            {"order_type": order_pb2.ORDER_TYPE_MARKET, "time_in_force": GTC},
            "ORDER_TYPE_NOT_ALLOWED",
            "time_in_force",
        ),
        ({"reduce_only": True}, "NOT_REDUCING", "reduce_only"),
    ],
)
def test_a_bad_field_is_named(rig, changes, name, field):
    before = rig.host.state_hash()
    refused(rig.prepare(rig.intent(**changes)), name, field)
    assert rig.host.state_hash() == before
    assert rig.state()[0].prepared == 0


def test_the_minimum_size_and_the_maximum_notional_are_limits():
    rig = EngineRig(instrument(max_order_notional="1000")).open()
    rejection = refused(rig.prepare(rig.intent(qty_lots=17)), "ORDER_NOTIONAL_LIMIT")
    assert rejection.limit == 1000 * 10**9
    assert rejection.value == 17 * ASK * 100_000


def test_bytes_that_do_not_decode_are_malformed(rig):
    refused(rig.prepare(b"\xff\xff\xff"), "MALFORMED", "intent")


def test_an_intent_larger_than_its_place_is_malformed(rig):
    huge = rig.intent().SerializeToString() + b"\xa2\x01\x81\x40" + bytes(8193)
    refused(rig.prepare(huge), "MALFORMED", "intent")


def test_another_hash_in_the_frame_is_refused(rig):
    refused(
        rig.prepare(rig.intent(), frame_hash=bytes(32)), "POLICY_HASH_MISMATCH", "frame.policy_hash"
    )


def test_the_hash_before_passes_during_the_overlap_only(rig):
    before = bytes(range(32))
    rig.probe.shift_policy(before, rig.now_ns + 10 * MS)
    assert rig.prepare(rig.intent(policy_hash=before), frame_hash=before).token
    rig.step(10 * MS)
    refused(rig.prepare(rig.intent(policy_hash=before)), "POLICY_HASH_MISMATCH")


def test_a_phase_outside_policy_or_lease_may_not_trade(rig):
    refused(rig.prepare(rig.intent(phase_id="hunter"), principal="operator"), "UNKNOWN_PHASE")
    refused(rig.prepare(rig.intent(), principal="hunter"), "UNKNOWN_PHASE", "principal")
    rig.lease(budgets=[])
    refused(rig.prepare(rig.intent()), "UNKNOWN_PHASE", "lease.budgets")


def test_ttl_bounds(rig):
    refused(rig.prepare(rig.intent(expires_at_boottime_ns=rig.now_ns)), "INTENT_EXPIRED")
    late = rig.now_ns + 60_001 * MS
    refused(rig.prepare(rig.intent(expires_at_boottime_ns=late)), "TTL_TOO_LONG")


def test_without_a_lease_only_reductions_pass():
    rig = EngineRig()
    rig.host.start(1, rig.now_ns, rig.now_ns)
    rig.logon()
    rig.reconcile()
    rig.book()
    refused(rig.prepare(rig.intent()), "LEASE_MISSING")


def test_a_lapsed_lease_a_state_and_the_truth_close_new_risk(rig):
    rig.step(3000 * MS)
    rig.book()
    refused(rig.prepare(rig.intent()), "LEASE_EXPIRED")
    rig.lease(state=trading_state_pb2.TRADING_STATE_DEFENSIVE)
    refused(rig.prepare(rig.intent()), "TRADING_DEFENSIVE")
    rig.lease(state=trading_state_pb2.TRADING_STATE_HALTED)
    refused(rig.prepare(rig.intent()), "TRADING_HALTED", "lease.state")
    rig.lease(truth_score=69)
    rejection = refused(rig.prepare(rig.intent()), "TRUTH_BELOW_THRESHOLD")
    assert (rejection.value, rejection.limit) == (69, 70)
    rig.lease(truth_score=80, min_score_open=90)
    refused(rig.prepare(rig.intent()), "TRUTH_BELOW_THRESHOLD")
    rig.lease()
    rig.probe.halt()
    refused(rig.prepare(rig.intent()), "TRADING_HALTED", "halt_epoch")


def test_confirm_needs_a_lease_that_outlives_the_request(rig):
    prepared = rig.prepare(rig.intent(expires_at_boottime_ns=rig.now_ns + 9_000 * MS))
    rig.step(500 * MS)
    rig.lease(ttl_ms=20)
    rejection = refused(rig.confirm(prepared), "LEASE_EXPIRED")
    assert rejection.limit == 20 * MS
    rig.lease(ttl_ms=21)
    assert rig.confirm(prepared).lsn


def test_a_reduction_passes_every_closed_door(rig):
    rig.position(10)
    rig.probe.halt()
    rig.step(5_000 * MS)
    intent = rig.intent(side=SELL, qty_lots=10, price_ticks=BID, reduce_only=True)
    assert isinstance(rig.submit(intent), frames.Accepted)
    again = rig.intent(side=SELL, qty_lots=1, price_ticks=BID, reduce_only=True)
    rejection = refused(rig.prepare(again), "NOT_REDUCING")
    assert (rejection.value, rejection.limit) == (1, 0)


def test_a_reduction_still_needs_hash_grid_ttl_and_link(rig):
    rig.position(10)
    good = {"side": SELL, "qty_lots": 5, "price_ticks": BID, "reduce_only": True}
    refused(rig.prepare(rig.intent(**good, policy_hash=bytes(32))), "POLICY_HASH_MISMATCH")
    refused(rig.prepare(rig.intent(**good, instrument_version=3)), "INSTRUMENT_VERSION")
    refused(
        rig.prepare(rig.intent(**good, expires_at_boottime_ns=rig.now_ns - 1)), "INTENT_EXPIRED"
    )
    rig.probe.link_down()
    refused(rig.prepare(rig.intent(**good)), "VENUE_UNAVAILABLE")


def test_book_health_is_a_condition(rig):
    rig.book(bid=ASK + 5, ask=ASK)
    refused(rig.prepare(rig.intent()), "BOOK_NOT_LIVE", "book.state")
    rig.book(bid=0)
    refused(rig.prepare(rig.intent()), "BOOK_NOT_LIVE", "book.side")
    rig.book(age_ns=2_001 * MS)
    rejection = refused(rig.prepare(rig.intent()), "BOOK_STALE")
    assert (rejection.value, rejection.limit) == (2_001 * MS, 2_000 * MS)


def test_a_gap_in_the_book_ends_new_risk(rig):
    rig.venue(
        market_event={
            "symbol": "BTCUSDT",
            "event_boottime_ns": rig.now_ns,
            "book_delta": {"prev_update_id": 77, "update_id": 78},
        }
    )
    refused(rig.prepare(rig.intent()), "BOOK_NOT_LIVE")


def test_impact_is_walked_through_the_book():
    rig = EngineRig(instrument(max_impact_ppm=1)).open()
    rig.book(lots=10, levels=5)
    assert rig.prepare(rig.intent(qty_lots=10, price_ticks=ASK + 4)).token
    rejection = refused(rig.prepare(rig.intent(qty_lots=40, price_ticks=ASK + 4)), "IMPACT_LIMIT")
    assert rejection.value > rejection.limit == 1


def test_the_position_limit_counts_open_reserved_and_unknown():
    rig = EngineRig(instrument(max_order_qty_lots="50", max_position_lots="50")).open()
    rig.position(20)
    rig.resting(qty_lots=10)
    rig.prepare(rig.intent(qty_lots=10))
    rejection = refused(rig.prepare(rig.intent(qty_lots=11)), "POSITION_LIMIT")
    assert (rejection.value, rejection.limit) == (51, 50)
    assert rig.prepare(rig.intent(side=SELL, qty_lots=50, price_ticks=BID)).token


def test_gross_leverage_and_budget_take_the_smaller_limit(rig):
    rig.lease(max_gross_notional_nanos=600 * 10**9)
    refused(rig.prepare(rig.intent(qty_lots=11)), "GROSS_EXPOSURE_LIMIT")
    rig.lease(max_leverage_pct=1)
    rejection = refused(rig.prepare(rig.intent(qty_lots=20)), "LEVERAGE_LIMIT")
    assert (rejection.value, rejection.limit) == (1, 1)
    budget = lease_pb2.PhaseBudget(phase_id=PHASE, max_notional_nanos=500 * 10**9, allowed=True)
    rig.lease(budgets=[budget])
    rejection = refused(rig.prepare(rig.intent(qty_lots=9)), "PHASE_BUDGET")
    assert (rejection.value, rejection.limit) == (9 * ASK * 100_000, 500 * 10**9)
    budget.allowed = False
    rig.lease(budgets=[budget])
    assert refused(rig.prepare(rig.intent()), "PHASE_BUDGET").limit == 0


def test_the_days_loss_ends_new_risk():
    rig = EngineRig(account(max_daily_loss="100")).open()
    rig.position(100)
    rig.book(bid=BID - 12_000, ask=ASK - 12_000)
    refused(rig.prepare(rig.intent(price_ticks=ASK - 12_000)), "DAILY_LOSS_LIMIT")
    rig = EngineRig(phase(max_daily_loss="100")).open()
    rig.position(100)
    rig.book(bid=BID - 12_000, ask=ASK - 12_000)
    refused(
        rig.prepare(rig.intent(price_ticks=ASK - 12_000)),
        "DAILY_LOSS_LIMIT",
        "phases.max_daily_loss",
    )


def test_open_orders_self_trade_and_duplicates():
    rig = EngineRig(instrument(max_open_orders=2)).open()
    rig.resting()
    rig.resting()
    refused(rig.prepare(rig.intent()), "OPEN_ORDERS_LIMIT")
    rig = EngineRig(account(duplicate_window_ms=100)).open()
    rig.resting(price_ticks=BID)
    rejection = refused(
        rig.prepare(rig.intent(side=SELL, price_ticks=BID - 1)), "SELF_TRADE", "price_ticks"
    )
    assert (rejection.value, rejection.limit) == (BID - 1, BID)
    assert rig.prepare(rig.intent()).token
    refused(rig.prepare(rig.intent()), "DUPLICATE_ORDER")
    rig.step(101 * MS)
    assert rig.prepare(rig.intent()).token


def test_the_rate_keeps_a_reserve_for_reductions():
    rig = EngineRig(account(max_messages_per_second=8)).open()
    rig.position(10)
    for _ in range(5):
        assert isinstance(rig.submit(rig.intent()), frames.Accepted)
    rejection = refused(rig.prepare(rig.intent()), "ORDER_RATE")
    assert (rejection.value, rejection.limit) == (7, 6)
    reduction = rig.intent(side=SELL, qty_lots=2, price_ticks=BID, reduce_only=True)
    assert isinstance(rig.submit(reduction), frames.Accepted)
    rig.step(1_100 * MS)
    rig.book()
    assert isinstance(rig.submit(rig.intent()), frames.Accepted)


def test_a_phase_that_repeats_a_refused_order_is_latched():
    rig = EngineRig(phase(max_repeats_per_minute=3)).open()
    for _ in range(4):
        refused(rig.prepare(rig.intent(qty_lots=1001)), "ORDER_QTY_LIMIT")
    refused(rig.prepare(rig.intent()), "REPEAT_THROTTLE")
    rig.probe.halt()
    assert rig.probe.resume(1) is True
    rig.lease(halt_epoch=1)
    assert rig.prepare(rig.intent()).token


def test_the_venue_must_be_there_and_reconciled():
    rig = EngineRig()
    rig.host.start(1, rig.now_ns, rig.now_ns)
    rig.lease()
    rig.book()
    refused(rig.prepare(rig.intent()), "VENUE_UNAVAILABLE")
    rig.logon()
    refused(rig.prepare(rig.intent()), "RECOVERING", "venue.reconciled")
    rig.reconcile()
    assert rig.prepare(rig.intent()).token


def test_a_full_table_refuses_at_prepare_only():
    rig = EngineRig(instrument(max_open_orders=4096, max_position_lots="1000000"), slots_log2=6)
    rig.open()
    prepared = [rig.prepare(rig.intent()) for _ in range(64)]
    refused(rig.prepare(rig.intent()), "OVERLOADED", "intents")
    assert isinstance(rig.confirm(prepared[0]), frames.Accepted)


def test_a_stopping_service_takes_no_new_work(rig):
    rig.probe.stopping()
    refused(rig.prepare(rig.intent()), "SHUTTING_DOWN")


def test_a_replacement_needs_an_end_without_an_order(rig):
    first = rig.intent()
    rig.submit(first)
    refused(rig.prepare(rig.intent(supersedes=first.intent_id)), "TOO_LATE", "supersedes")
