"""The verbs of FastPath: idempotent by intent id, bound to no connection."""

from __future__ import annotations

import pytest
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.trading.v1 import order_pb2, reject_reason_pb2
from titan_execution.core.probe import order_id
from titan_testkit.engine_rig import ASK, MS, EngineRig

STATE = order_pb2.IntentState.Value


def name_of(answer):
    assert isinstance(answer, frames.Refused), answer
    return reject_reason_pb2.RejectReason.Name(answer.rejection.reason).removeprefix(
        "REJECT_REASON_"
    )


@pytest.fixture
def rig():
    return EngineRig().open()


def test_the_client_order_id_is_the_published_vector():
    intent_id = bytes.fromhex("0192f3c4d5e6771788990a1b2c3d4e5f")
    assert order_id(b"binance:acct1", intent_id) == "T1wr7jhe6xucxrox7nmlzqjcsl"
    assert order_id(b"binance:acct1", intent_id, 1) != order_id(b"binance:acct1", intent_id)


def test_repeats_answer_the_same_for_ever(rig):
    intent = rig.intent()
    first = rig.prepare(intent)
    assert rig.prepare(intent) == first
    accepted = rig.confirm(first)
    rig.ack(accepted.client_order_id)
    rig.trade(accepted.client_order_id, 2, 2, 0)
    rig.tick(60_000 * MS)
    assert rig.prepare(intent) == first
    assert rig.confirm(first) == accepted
    assert len(rig.pending("submit_order")) == 1
    assert rig.kinds().count(report_pb2.RECORD_KIND_CONFIRMED) == 1


def test_the_same_id_with_other_content_is_a_conflict(rig):
    intent = rig.intent()
    rig.prepare(intent)
    other = rig.intent(intent_id=intent.intent_id, qty_lots=3)
    assert name_of(rig.prepare(other)) == "INTENT_CONFLICT"
    rig.abort(intent.intent_id)
    assert name_of(rig.prepare(other)) == "INTENT_CONFLICT"


def test_confirm_needs_a_living_reservation_and_its_token(rig):
    intent = rig.intent()
    unknown = frames.Prepared(intent_id=intent.intent_id, token=1)
    assert name_of(rig.confirm(unknown)) == "PREPARE_UNKNOWN"
    prepared = rig.prepare(intent)
    wrong = frames.Prepared(intent_id=intent.intent_id, token=prepared.token ^ 1)
    assert name_of(rig.confirm(wrong)) == "PREPARE_UNKNOWN"
    rig.step(1_000 * MS)
    assert name_of(rig.confirm(prepared)) == "PREPARE_EXPIRED"
    again = rig.prepare(intent)
    assert again.token == prepared.token
    assert rig.confirm(again).lsn


def test_the_intents_own_end_is_checked_again_at_confirm(rig):
    prepared = rig.prepare(rig.intent(expires_at_boottime_ns=rig.now_ns + 5 * MS))
    rig.step(5 * MS)
    assert name_of(rig.confirm(prepared)) == "INTENT_EXPIRED"


def test_confirm_runs_again_what_may_have_changed(rig):
    prepared = rig.prepare(rig.intent())
    rig.book(bid=500_000, ask=500_001)
    assert name_of(rig.confirm(prepared)) == "PRICE_COLLAR"
    rig.book(age_ns=3_000 * MS)
    assert name_of(rig.confirm(prepared)) == "BOOK_STALE"
    rig.book()
    assert name_of(rig.confirm(prepared, frame_hash=bytes(32))) == "POLICY_HASH_MISMATCH"
    rig.probe.halt()
    assert name_of(rig.confirm(prepared)) == "TRADING_HALTED"


def test_a_reservation_counts_at_once_and_lapses_by_the_timer(rig):
    rig.prepare(rig.intent(qty_lots=7))
    assert rig.state()[1].open_buy_lots == 7
    rig.tick(999 * MS)
    assert rig.state()[1].open_buy_lots == 7
    rig.tick(MS)
    assert rig.state()[1].open_buy_lots == 0
    assert rig.state()[0].prepared == 0
    assert rig.probe.lapsed == 1


def test_abort_voids_a_reservation_and_nothing_else(rig):
    intent = rig.intent()
    assert name_of(rig.abort(intent.intent_id)) == "PREPARE_UNKNOWN"
    rig.prepare(intent)
    assert isinstance(rig.abort(intent.intent_id), frames.Aborted)
    assert isinstance(rig.abort(intent.intent_id), frames.Aborted)
    assert rig.status(intent.intent_id).state == STATE("INTENT_STATE_UNSPECIFIED")
    rig.confirm(rig.prepare(intent))
    assert name_of(rig.abort(intent.intent_id)) == "TOO_LATE"


def test_status_follows_the_life_of_an_intent(rig):
    intent = rig.intent(qty_lots=5)
    assert rig.status(intent.intent_id).state == STATE("INTENT_STATE_UNSPECIFIED")
    prepared = rig.prepare(intent)
    assert rig.status(intent.intent_id).state == STATE("INTENT_STATE_PREPARED")
    accepted = rig.confirm(prepared)
    seen = rig.status(intent.intent_id)
    assert seen.state == STATE("INTENT_STATE_SENDING")
    assert (seen.lsn, seen.client_order_id) == (accepted.lsn, accepted.client_order_id)
    assert len(seen.intent_digest) == 32
    rig.ack(accepted.client_order_id)
    assert rig.status(intent.intent_id).state == STATE("INTENT_STATE_LIVE")
    rig.trade(accepted.client_order_id, 2, 2, 3)
    seen = rig.status(intent.intent_id)
    assert (seen.cum_qty_lots, seen.leaves_qty_lots) == (2, 3)
    rig.canceled(accepted.client_order_id, 2, expired=True)
    assert rig.status(intent.intent_id).state == STATE("INTENT_STATE_CANCELED")


def test_a_cancel_is_recorded_sent_once_and_answered_the_same(rig):
    intent, client_order_id = rig.resting()
    first = rig.cancel(intent.intent_id)
    assert first.lsn == rig.records[-1].lsn
    assert rig.records[-1].kind == report_pb2.RECORD_KIND_CANCEL_REQUEST
    assert rig.cancel(intent.intent_id) == first
    assert len(rig.pending("cancel_order")) == 1
    rig.canceled(client_order_id)
    assert rig.cancel(intent.intent_id) == first
    assert name_of(rig.cancel(rig.intent().intent_id)) == "UNKNOWN_ORDER"


def test_a_cancel_of_an_ended_order_is_too_late(rig):
    intent, client_order_id = rig.resting()
    rig.canceled(client_order_id)
    assert name_of(rig.cancel(intent.intent_id)) == "TOO_LATE"


def test_a_cancel_before_the_acknowledgement_waits_for_it(rig):
    intent = rig.intent(time_in_force=order_pb2.TIME_IN_FORCE_GTC, price_ticks=599_000)
    accepted = rig.submit(intent)
    assert isinstance(rig.cancel(intent.intent_id), frames.CancelAccepted)
    assert not rig.pending("cancel_order")
    rig.ack(accepted.client_order_id)
    (request,) = rig.pending("cancel_order")
    assert request.cancel_order.client_order_id == accepted.client_order_id


def test_ping_echoes_and_tells_the_time(rig):
    pong = frames.Pong.FromString(rig.probe.ping(77)[1])
    assert (pong.echo, pong.boottime_ns) == (77, rig.now_ns)


def test_halt_latches_cancels_and_names_its_epoch(rig):
    _intent, client_order_id = rig.resting()
    lsn = rig.probe.halt()
    assert rig.probe.halt() == lsn
    rig.collect()
    kinds = rig.kinds()
    assert kinds[-2:] == [report_pb2.RECORD_KIND_HALT, report_pb2.RECORD_KIND_CANCEL_REQUEST]
    assert rig.pending("cancel_order")[0].cancel_order.client_order_id == client_order_id
    assert rig.records[-2].halt_epoch == 1
    refused = reject_reason_pb2.Rejection.FromString(rig.probe.resume(0))
    assert (refused.field, refused.value, refused.limit) == ("halt_epoch", 0, 1)
    assert rig.probe.resume(1) is True
    assert name_of(rig.prepare(rig.intent())) == "LEASE_EXPIRED"
    assert rig.lease(halt_epoch=0).field == "halt_epoch"
    assert rig.lease(halt_epoch=1) is True
    assert rig.prepare(rig.intent()).token


def test_an_order_that_lives_after_a_halt_is_cancelled(rig):
    intent = rig.intent(time_in_force=order_pb2.TIME_IN_FORCE_GTC, price_ticks=599_000)
    accepted = rig.submit(intent)
    rig.probe.halt()
    rig.ack(accepted.client_order_id)
    assert rig.pending("cancel_order")


def test_leases_are_obeyed_in_order_only(rig):
    assert rig.lease(brain_epoch=3) is True
    assert rig.lease(brain_epoch=2).field == "brain_epoch"
    assert rig.lease(brain_epoch=3, lease_sequence=1).field == "lease_sequence"
    assert rig.lease(brain_epoch=3, policy_hash=bytes(32)).field == "policy_hash"
    assert rig.lease(brain_epoch=3, account="other").field == "account"
    assert rig.lease(brain_epoch=3, state=9).field == "state"
    assert rig.lease(brain_epoch=3, ttl_ms=0).field == "ttl_ms"


def test_a_lapse_is_journaled_once(rig):
    before = len(rig.kinds())
    rig.tick(3_000 * MS)
    rig.tick(MS)
    new = rig.records[before:]
    assert [record.kind for record in new] == [report_pb2.RECORD_KIND_TRADING_STATE]
    rig.lease()
    rig.collect()
    rig.probe.defensive()
    assert rig.kinds()[-2:] == [report_pb2.RECORD_KIND_TRADING_STATE] * 2


def test_places_of_lapsed_reservations_are_used_again():
    rig = EngineRig(lambda p: p["instruments"][0].update(max_open_orders=4096), slots_log2=4)
    rig.open()
    for _ in range(100):
        intent = rig.intent()
        assert rig.prepare(intent).token
        rig.abort(intent.intent_id)
    assert rig.state()[0].prepared == 0


def test_a_reduction_may_rest_while_halted(rig):
    rig.position(5)
    rig.probe.halt()
    rig.resting(side=order_pb2.SIDE_SELL, qty_lots=5, price_ticks=ASK + 5, reduce_only=True)
    assert not rig.pending("cancel_order"), "the brake stops new risk, not the way out"
