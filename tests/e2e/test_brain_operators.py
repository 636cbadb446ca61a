"""Halt and resume through the Brain's real gRPC server, from the brake to the way back."""

from __future__ import annotations

import pytest
from titan.brain.v1 import operator_service_pb2 as pb
from titan.brain.v1.operator_service_pb2_grpc import OperatorServiceStub
from titan.risk.v1 import trading_state_pb2 as state_pb
from titan.trading.v1 import order_pb2
from titan_mesh.errors import AccessDenied, InvalidMessage, Unavailable
from titan_mesh.rpc.channel import open_channel
from titan_testkit.brain_process import until
from titan_testkit.brain_rig import BrainRig

pytestmark = pytest.mark.e2e
HALTED = state_pb.TRADING_STATE_HALTED
NORMAL = state_pb.TRADING_STATE_NORMAL
DEFENSIVE = state_pb.TRADING_STATE_DEFENSIVE


async def halt(rig: BrainRig) -> pb.HaltResponse:
    return await rig.brain.operator.Halt(
        pb.HaltRequest(operator_id="op-a", text="drill"), timeout=5
    )


async def resume(rig: BrainRig, epoch: int, *signatures: object) -> pb.ResumeResponse:
    request = pb.ResumeRequest(
        halt_epoch=epoch, operator_id="op-a", text="drill over", signatures=signatures
    )
    return await rig.brain.operator.Resume(request, timeout=5)


async def test_an_operators_halt_is_true_at_the_edge_and_one_operator_lifts_it(
    brain_rig: BrainRig,
) -> None:
    rig = brain_rig
    await rig.become_normal()
    answer = await halt(rig)
    assert (answer.state, answer.halt_epoch) == (HALTED, 1)
    assert rig.execution.halted
    assert rig.execution.leases[-1].state == HALTED
    assert not any(budget.allowed for budget in rig.execution.leases[-1].budgets)
    # Good evidence does not lift it, and neither do other epochs, other keys, other people.
    await rig.execution.tell_truth()
    refused = [
        (2, [rig.signature("op-a", 2)], "HALT_EPOCH_OTHER"),
        (1, [rig.signature("op-a", 1, key="op-b")], "SIGNATURE_INVALID"),
        (1, [rig.signature("op-a", 1, seconds=-1)], "SIGNATURE_EXPIRED"),
        (1, [rig.signature("op-a", 1, seconds=130)], "SIGNATURE_TOO_LONG"),
    ]
    for epoch, signatures, code in refused:
        with pytest.raises(AccessDenied) as denied:
            await resume(rig, epoch, *signatures)
        assert denied.value.code == code
    with pytest.raises(InvalidMessage):
        await resume(rig, 1)
    assert (await rig.brain.allocation()).state == HALTED
    # A restart of the Brain keeps the halt.
    assert rig.brain.terminate() == 0
    rig.brain.start()
    await rig.brain.ready()
    assert (await rig.brain.allocation()).state == HALTED

    lifted = await resume(rig, 1, rig.signature("op-a", 1))
    assert lifted.halt_epoch == 1
    assert not rig.execution.halted
    assert (await rig.brain.allocation()).state == DEFENSIVE
    await rig.in_state(NORMAL)


async def test_a_daily_loss_halts_and_needs_two(brain_rig: BrainRig) -> None:
    rig = brain_rig
    await rig.become_normal()
    order = rig.journal.confirm(side=order_pb2.SIDE_BUY, qty_lots=1_000, symbol="BTCUSDT")
    rig.journal.fill(order)
    await rig.catch_up()
    # 1 BTC bought at about 60,000; at a mid of 50,000 the day has lost more than 5,000.
    shot = rig.execution.snapshot()
    shot.positions[0].mid_half_ticks = 1_000_000
    await rig.execution.tell_truth(positions=[*shot.positions])
    await rig.in_state(HALTED, fed=False)
    allocation = await rig.brain.allocation()
    assert allocation.cause == state_pb.BREAKER_CAUSE_LOSS
    assert rig.execution.brakes[-1].cause == state_pb.BREAKER_CAUSE_LOSS
    assert rig.execution.brakes[-1].operator_id == "brain"
    epoch = rig.journal.halt_epoch
    with pytest.raises(AccessDenied) as denied:
        await resume(rig, epoch, rig.signature("op-a", epoch), rig.signature("op-a", epoch))
    assert (denied.value.code, denied.value.value) == ("OPERATORS_TOO_FEW", "1")
    await resume(rig, epoch, rig.signature("op-a", epoch), rig.signature("op-b", epoch))
    # The loss that the operators saw opens the day anew; it does not halt again.
    await rig.execution.tell_truth(positions=[*shot.positions])
    await rig.in_state(NORMAL, fed=False)


async def test_halt_with_a_dead_execution_is_pressed_until_it_is_true(
    brain_rig: BrainRig,
) -> None:
    rig = brain_rig
    await rig.become_normal()
    await rig.execution.stop()
    with pytest.raises(Unavailable) as failed:
        await halt(rig)
    assert failed.value.code == "HALT_NOT_AT_EDGE"
    assert (await rig.brain.allocation()).state == HALTED
    rig.brain.kill()
    rig.brain.start()
    await rig.brain.ready()
    assert (await rig.brain.allocation()).state == HALTED
    await rig.execution.start()
    await rig.in_state(HALTED)

    async def pressed() -> bool:
        return rig.execution.halted and rig.execution.leases[-1].brain_epoch == 2

    await until(pressed)
    assert all(x.state == HALTED for x in rig.execution.leases if x.brain_epoch == 2)


async def test_who_may_call_what(brain_rig: BrainRig) -> None:
    rig = brain_rig
    rig.brain.start()
    await rig.brain.ready()
    channel = open_channel(rig.brain.target)
    nobody = OperatorServiceStub(channel)
    with pytest.raises(AccessDenied) as denied:
        await nobody.Flatten(pb.FlattenRequest(operator_id="x", text="y"), timeout=5)
    assert denied.value.code == "TOKEN_MISSING"
    # The brake needs no proof.
    answer = await nobody.Halt(pb.HaltRequest(operator_id="anyone", text="stop"), timeout=5)
    assert answer.state == HALTED
    await channel.close()
