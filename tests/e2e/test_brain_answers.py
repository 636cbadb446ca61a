"""Funnel, explanations, previews: from the database alone, also after a restart."""

from __future__ import annotations

import pytest
from titan import topology
from titan.brain.v1 import brain_service_pb2 as pb
from titan.execution.v1 import execution_report_pb2 as report_pb
from titan.execution.v1.prepare_verdict_pb2 import PrepareVerdict
from titan.risk.v1 import trading_state_pb2 as state_pb
from titan.trading.v1 import order_pb2, reject_reason_pb2
from titan.trading.v1.intent_pb2 import IntentSignal, SignalInput
from titan_mesh.bus.connection import Bus
from titan_mesh.bus.publisher import Publisher
from titan_mesh.errors import InvalidMessage, NotFound
from titan_testkit.brain_process import until
from titan_testkit.brain_rig import BrainRig
from titan_testkit.exec_journal import ACCOUNT

pytestmark = pytest.mark.e2e
INTENT = bytes.fromhex("0192f3c4d5e6771788990a1b2c3d4e5f")
OTHER = bytes.fromhex("0192f3c4d5e6771788990a1b2c3d4e60")


def intent(rig: BrainRig, intent_id: bytes = INTENT, **facts: object) -> IntentSignal:
    values = {
        "intent_id": intent_id,
        "policy_hash": rig.journal.policy_hash,
        "phase_id": "scavenger",
        "account": ACCOUNT,
        "symbol": "BTCUSDT",
        "instrument_version": 1,
        "side": order_pb2.SIDE_BUY,
        "order_type": order_pb2.ORDER_TYPE_LIMIT,
        "time_in_force": order_pb2.TIME_IN_FORCE_IOC,
        "qty_lots": 10,
        "price_ticks": 600_000,
        "created_at_ns": 1,
        "expires_at_boottime_ns": 1 << 62,
        "inputs": [SignalInput(name="ofi_10s", value="1.5")],
    }
    return IntentSignal(**{**values, **facts})  # type: ignore[arg-type]


def verdict(rig: BrainRig, sequence: int, signal: IntentSignal, reason: int = 0) -> PrepareVerdict:
    found = PrepareVerdict(
        account=ACCOUNT,
        phase_id=signal.phase_id,
        intent_id=signal.intent_id,
        policy_hash=rig.journal.policy_hash,
        approved=not reason,
        decided_at_ns=rig.execution.clock.unix_ns(),
        verdict_sequence=sequence,
        dropped_before=2,
        intent=signal,
        epoch=1,
        checks=[reject_reason_pb2.Check(reason=20, value=5, limit=9, passed=not reason)],
    )
    if reason:
        found.rejection.reason = reason
    return found


async def test_the_record_answers(brain_rig: BrainRig, bus: Bus) -> None:
    rig = brain_rig
    await rig.become_normal()
    signal, refused = intent(rig), intent(rig, OTHER)
    order = rig.journal.confirm(side=order_pb2.SIDE_BUY, qty_lots=10, symbol="BTCUSDT")
    confirmed = rig.journal.reports[-1]
    confirmed.intent_id = order.intent_id = INTENT
    confirmed.phase_id = order.phase_id = "scavenger"
    confirmed.intent.CopyFrom(signal)
    lease = rig.execution.leases[-1]
    confirmed.brain_epoch, confirmed.lease_sequence = lease.brain_epoch, lease.lease_sequence
    rig.journal.about(report_pb.RECORD_KIND_VENUE_ACK, order, order_pb2.ORD_STATUS_NEW)
    fill = rig.journal.fill(order)
    denial = reject_reason_pb2.REJECT_REASON_PRICE_COLLAR
    publisher = Publisher(bus)
    for item in (verdict(rig, 1, signal), verdict(rig, 2, refused, denial)):
        for _ in range(2):
            await publisher.publish(topology.PREPARE_VERDICT, item)
    await rig.catch_up()
    await rig.execution.tell_truth()

    async def counted() -> bool:
        return (await rig.brain.funnel()).signals == 2

    await until(counted)
    rig.brain.kill()
    rig.brain.start()
    await rig.brain.ready()
    funnel = await rig.brain.funnel()
    assert (funnel.signals, funnel.approved, funnel.confirmed) == (2, 1, 1)
    assert (funnel.acknowledged, funnel.filled_orders, funnel.fills) == (1, 1, 1)
    assert [(row.reason, row.count) for row in funnel.rejects] == [(denial, 1)]
    assert funnel.verdicts_dropped == 2
    held = rig.journal.positions["BTCUSDT"] * 1_200_001 * 100_000 // 2
    assert funnel.gross_pnl_nanos == rig.journal.cash_nanos["BTCUSDT"] + held
    assert funnel.net_pnl_nanos == funnel.gross_pnl_nanos - rig.journal.fee_nanos["BTCUSDT"]
    none = await rig.brain.brain.GetFunnel(pb.GetFunnelRequest(phase_id="hunter"), timeout=5)
    assert (none.signals, none.confirmed, none.fills, none.net_pnl_nanos) == (0, 0, 0, 0)
    await explained(rig, order.client_order_id, fill.trade_id)


async def explained(rig: BrainRig, client_order_id: str, trade_id: str) -> None:
    answers = [
        await rig.brain.brain.ExplainDecision(pb.ExplainDecisionRequest(id=name), timeout=5)
        for name in (INTENT.hex(), client_order_id, trade_id)
    ]
    for answer in answers:
        assert answer.SerializeToString() == answers[0].SerializeToString()
    found = answers[0]
    assert found.intent.inputs[0].name == "ofi_10s"
    assert found.verdict.approved
    assert [report.kind for report in found.reports] == [2, 4, 6]
    assert found.truth.score >= 80
    assert found.lease.state == state_pb.TRADING_STATE_NORMAL
    last = found.decisions[-1]
    assert last.state == state_pb.TRADING_STATE_NORMAL
    by_id = await rig.brain.brain.ExplainDecision(
        pb.ExplainDecisionRequest(id=last.decision_id.hex()), timeout=5
    )
    assert list(by_id.decisions) == [last]
    only_verdict = await rig.brain.brain.ExplainDecision(
        pb.ExplainDecisionRequest(id=OTHER.hex()), timeout=5
    )
    assert not only_verdict.verdict.approved
    assert not only_verdict.reports
    for name, error, code in (
        ("0192f3c4", InvalidMessage, "ID_AMBIGUOUS"),
        ("T1nothing", NotFound, "NOTHING_BY_THAT_ID"),
    ):
        with pytest.raises(error) as refused:
            await rig.brain.brain.ExplainDecision(pb.ExplainDecisionRequest(id=name), timeout=5)
        assert refused.value.code == code


async def test_previews_say_what_the_rules_say(brain_rig: BrainRig) -> None:
    rig = brain_rig
    rig.brain.start()
    await rig.brain.ready()

    async def preview(**facts: object) -> pb.PreviewIntentResponse:
        request = pb.PreviewIntentRequest(intent=intent(rig, **facts))
        return await rig.brain.brain.PreviewIntent(request, timeout=5)

    defensive = await preview()
    assert defensive.rejection.reason == reject_reason_pb2.REJECT_REASON_TRADING_DEFENSIVE
    assert defensive.rejection.hint
    assert (await preview(reduce_only=True)).allowed
    await rig.catch_up()
    await rig.in_state(state_pb.TRADING_STATE_NORMAL)
    good = await preview()
    assert good.allowed
    assert all(check.passed for check in good.checks)
    for facts, reason in (
        ({"policy_hash": bytes(32)}, reject_reason_pb2.REJECT_REASON_POLICY_HASH_MISMATCH),
        ({"symbol": "NOPE"}, reject_reason_pb2.REJECT_REASON_UNKNOWN_INSTRUMENT),
        ({"instrument_version": 2}, reject_reason_pb2.REJECT_REASON_INSTRUMENT_VERSION),
        ({"phase_id": "nobody"}, reject_reason_pb2.REJECT_REASON_UNKNOWN_PHASE),
        ({"qty_lots": 1_001}, reject_reason_pb2.REJECT_REASON_ORDER_QTY_LIMIT),
        (
            {"qty_lots": 1_000, "price_ticks": 600_001},
            reject_reason_pb2.REJECT_REASON_ORDER_NOTIONAL_LIMIT,
        ),
    ):
        answer = await preview(**facts)
        assert not answer.allowed
        assert answer.rejection.reason == reason
        assert not answer.checks[-1].passed
