"""Recovery: replaying the records gives the state that wrote them; twice is once."""

from __future__ import annotations

import random

import pytest
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.trading.v1 import order_pb2
from titan_execution.core.host import ReplayFailed
from titan_execution.gateway.build import build_engine
from titan_testkit.engine_rig import ACCOUNT, ASK, BID, MS, VENUE, EngineRig

KIND = report_pb2.RecordKind.Value


def reborn(rig, bodies=None, **changes):
    """A fresh engine that replayed the records."""
    host = build_engine(
        changes.get("account", ACCOUNT), VENUE, rig.policy, rig.instruments, slots_log2=12
    )
    for body in rig.bodies if bodies is None else bodies:
        host.replay(body)
    return host


def recovered(rig, bodies=None):
    """The next incarnation, started, with a hand on it."""
    host = reborn(rig, bodies)
    after = EngineRig(host=host)
    after.now_ns = rig.now_ns + 100 * MS
    after.step()
    host.start(2, after.now_ns, after.now_ns)
    after.collect()
    return after


def busy_day(seed):
    """An engine after a random day of orders that all ended or work."""
    chance = random.Random(seed)
    rig = EngineRig(lambda p: p["instruments"][0].update(max_open_orders=4096)).open()
    for _ in range(40):
        rig.step(5 * MS)
        rig.lease()
        rig.book()
        buys = chance.random() < 0.5
        intent = rig.intent(
            side=order_pb2.SIDE_BUY if buys else order_pb2.SIDE_SELL,
            price_ticks=ASK if buys else BID,
            qty_lots=chance.randrange(2, 6),
        )
        accepted = rig.submit(intent)
        assert isinstance(accepted, frames.Accepted), accepted
        order, lots = accepted.client_order_id, intent.qty_lots
        fate = chance.randrange(5)
        if fate == 0:
            rig.rejected(order)
            continue
        rig.ack(order)
        if fate == 1:
            rig.canceled(order, 0, expired=True)
        elif fate == 2:
            rig.trade(order, 1, 1, lots - 1, ticks=intent.price_ticks)
            rig.canceled(order, 1)
        else:
            rig.trade(order, lots, lots, 0, ticks=intent.price_ticks)
    rig.tick()
    return rig


@pytest.mark.parametrize("seed", range(8))
def test_replay_gives_the_state_that_wrote_the_records(seed):
    rig = busy_day(seed)
    assert reborn(rig).state_hash() == rig.host.state_hash()


def test_recovering_twice_is_recovering_once():
    rig = busy_day(3)
    intent = rig.intent(qty_lots=5)
    rig.submit(intent)
    once = recovered(rig)
    twice = recovered(once, [*rig.bodies, *once.bodies])
    assert once.host.unknown_orders == twice.host.unknown_orders == 1
    assert once.host.state_hash() == twice.host.state_hash()


def test_a_send_without_an_answer_is_unknown_and_gates_its_symbol():
    rig = EngineRig().open()
    intent = rig.intent(qty_lots=5)
    accepted = rig.submit(intent)
    after = recovered(rig)
    assert [r.kind for r in after.records] == [
        KIND("RECORD_KIND_EPOCH"),
        KIND("RECORD_KIND_UNKNOWN"),
    ]
    assert after.records[1].restated
    after.logon()
    after.lease(brain_epoch=9)
    after.book()
    after.tick(MS)
    (query,) = after.pending("query_order")
    assert query.query_order.client_order_id == accepted.client_order_id
    assert not after.pending("submit_order")
    assert after.state()[1].open_buy_lots == 5
    # The same intent is known for ever, with the same token.
    assert after.prepare(intent).token == rig.prepare(intent).token


def test_reservations_are_lost_and_nothing_else():
    rig = EngineRig().open()
    prepared = rig.prepare(rig.intent())
    after = recovered(rig)
    answer = after.confirm(prepared)
    assert answer.rejection.reason == 12
    assert after.state()[1].open_buy_lots == 0


def test_the_halt_latch_survives():
    rig = EngineRig().open()
    rig.resting()
    rig.probe.halt()
    rig.collect()
    after = recovered(rig)
    assert after.host.halted
    assert after.records[0].state == 3
    after.logon()
    assert after.lease(brain_epoch=9, halt_epoch=0).field == "halt_epoch"
    assert after.probe.resume(1) is True


def test_a_cancel_that_was_asked_for_is_asked_again():
    rig = EngineRig().open()
    intent = rig.intent(time_in_force=order_pb2.TIME_IN_FORCE_GTC, price_ticks=BID - 5)
    accepted = rig.submit(intent)
    rig.cancel(intent.intent_id)
    after = recovered(rig)
    after.logon()
    after.ack(accepted.client_order_id)
    assert after.pending("cancel_order")


def test_fills_are_known_for_ever():
    rig = EngineRig().open()
    accepted = rig.submit(rig.intent(qty_lots=5))
    rig.ack(accepted.client_order_id)
    rig.trade(accepted.client_order_id, 2, 2, 3, trade_id="T77")
    after = recovered(rig)
    after.trade(accepted.client_order_id, 2, 2, 3, trade_id="T77")
    assert after.state()[1].position_lots == 2
    assert after.probe.counters()["duplicate_fills"] == 1


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda bodies: [b"\xff\xff", *bodies], -1),
        (lambda bodies: bodies[1:], -2),
        (lambda bodies: [*bodies, _foreign(bodies)], -3),
        (lambda bodies: [*bodies, _unknown_order(bodies)], -5),
        (lambda bodies: [*bodies, _kind(bodies)], -7),
    ],
)
def test_a_journal_that_does_not_fit_stops_the_start(spoil, code):
    rig = busy_day(1)
    with pytest.raises(ReplayFailed) as fault:
        reborn(rig, spoil(list(rig.bodies)))
    assert fault.value.code == code


def _next(bodies, **changes):
    last = report_pb2.ExecutionReport.FromString(bodies[-1])
    facts = {
        "lsn": last.lsn + 1,
        "epoch": 1,
        "account": ACCOUNT,
        "policy_hash": bytes(32),
        "kind": report_pb2.RECORD_KIND_FILL,
    }
    return report_pb2.ExecutionReport(**{**facts, **changes}).SerializeToString()


def _foreign(bodies):
    return _next(bodies, account="other")


def _unknown_order(bodies):
    return _next(bodies, client_order_id="T1aaaaaaaaaaaaaaaaaaaaaaaa")


def _kind(bodies):
    return _next(bodies, kind=99)
