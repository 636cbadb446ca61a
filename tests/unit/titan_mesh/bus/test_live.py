"""Live subscriptions against a real nats-server, through restarts."""

from __future__ import annotations

import asyncio

import pytest
from titan.marketdata.v1.market_data_pb2 import TradePrint
from titan.risk.v1.trading_state_pb2 import BreakerCause, TradingState, TradingStateChanged
from titan.topology import TRADE_PRINT, TRADING_STATE_CHANGED
from titan_mesh.bus import streams
from titan_mesh.bus.live import LiveSubscription, subscribe_live
from titan_mesh.bus.publisher import Publisher, subject_for
from titan_mesh.clock import SystemClock
from titan_mesh.errors import Unavailable

TICKS = {"venue": "paper", "symbol": "BTCUSDT"}


def trade(number, symbol="BTCUSDT"):
    return TradePrint(
        venue="paper", symbol=symbol, trade_id=number, price_ticks=1, qty_lots=1, recorded_ns=1
    )


def change(epoch, account="paper-main"):
    return TradingStateChanged(
        account=account,
        state=TradingState.TRADING_STATE_DEFENSIVE,
        cause=BreakerCause.BREAKER_CAUSE_BLIND,
        halt_epoch=epoch,
        policy_hash=b"\x01" * 32,
    )


async def take(subscription, count):
    """The next messages; a bound so that a hanging subscription fails."""
    found = []
    async with asyncio.timeout(30):
        async for delivery in subscription:
            found.append(delivery.message)
            if len(found) == count:
                return found
    return found


async def publish_until_stored(publisher, event, message):
    """After a restart the client reconnects in its own time."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await publisher.publish(event, message, msg_id=str(hash(str(message))))
            except Unavailable:
                continue


async def test_messages_arrive_in_order_and_filtered(bus):
    publisher = Publisher(bus)
    await publisher.publish(TRADE_PRINT, trade(1))
    subscription = await subscribe_live(bus, TRADE_PRINT, clock=SystemClock(), **TICKS)
    for number in range(2, 600):
        symbol = "ETHUSDT" if number % 3 == 0 else "BTCUSDT"
        await bus.client.publish(
            subject_for(TRADE_PRINT, venue="paper", symbol=symbol),
            trade(number, symbol).SerializeToString(),
        )
    wanted = [number for number in range(2, 600) if number % 3]
    assert [message.trade_id for message in await take(subscription, len(wanted))] == wanted


async def test_all_starts_at_the_beginning_and_new_at_the_end(bus):
    publisher = Publisher(bus)
    for number in (1, 2):
        await publisher.publish(TRADE_PRINT, trade(number))
    clock = SystemClock()
    whole = await subscribe_live(bus, TRADE_PRINT, clock=clock, start="all")
    fresh = await subscribe_live(bus, TRADE_PRINT, clock=clock)
    await publisher.publish(TRADE_PRINT, trade(3))
    assert [message.trade_id for message in await take(whole, 3)] == [1, 2, 3]
    assert [message.trade_id for message in await take(fresh, 1)] == [3]


async def test_last_gives_the_newest_of_each_subject(bus):
    publisher = Publisher(bus)
    for epoch, account in ((1, "a"), (2, "a"), (3, "b")):
        await publisher.publish(TRADING_STATE_CHANGED, change(epoch, account))
    clock = SystemClock()
    subscription = await subscribe_live(bus, TRADING_STATE_CHANGED, clock=clock, start="last")
    found = await take(subscription, 2)
    assert sorted((message.account, message.halt_epoch) for message in found) == [
        ("a", 2),
        ("b", 3),
    ]


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_restart_loses_nothing_that_the_stream_kept(bus, nats_server, end):
    publisher = Publisher(bus)
    subscription = await subscribe_live(bus, TRADING_STATE_CHANGED, clock=SystemClock())
    await publisher.publish(TRADING_STATE_CHANGED, change(1))
    assert [message.halt_epoch for message in await take(subscription, 1)] == [1]
    if end == "stop":
        await nats_server.stop()
    else:
        nats_server.kill()
    await nats_server.start()
    for epoch in (2, 3):
        await publish_until_stored(publisher, TRADING_STATE_CHANGED, change(epoch))
    assert [message.halt_epoch for message in await take(subscription, 2)] == [2, 3]
    assert subscription.counts.resubscribed >= 1


async def test_a_restart_before_the_first_message_replays_nothing_old(bus, nats_server):
    publisher = Publisher(bus)
    await publisher.publish(TRADING_STATE_CHANGED, change(1))
    subscription = await subscribe_live(bus, TRADING_STATE_CHANGED, clock=SystemClock())
    nats_server.kill()
    await nats_server.start()
    await publish_until_stored(publisher, TRADING_STATE_CHANGED, change(2))
    assert [message.halt_epoch for message in await take(subscription, 1)] == [2]


async def test_a_lost_memory_stream_is_followed_when_it_is_restored(bus, make_bus, nats_server):
    publisher = Publisher(bus)
    subscription = await subscribe_live(bus, TRADE_PRINT, clock=SystemClock(), **TICKS)
    for number in range(1, 6):
        await publisher.publish(TRADE_PRINT, trade(number))
    assert len(await take(subscription, 5)) == 5
    nats_server.kill()
    await nats_server.start()
    await streams.restore_memory_streams(await make_bus("provisioner"))
    await publish_until_stored(publisher, TRADE_PRINT, trade(6))
    assert [message.trade_id for message in await take(subscription, 1)] == [6]


async def test_what_does_not_decode_is_counted_and_dropped(bus, log_lines):
    subscription = await subscribe_live(bus, TRADE_PRINT, clock=SystemClock(), **TICKS)
    await bus.js.publish(subject_for(TRADE_PRINT, **TICKS), b"\xff\xff\xff")
    await Publisher(bus).publish(TRADE_PRINT, trade(1))
    assert [message.trade_id for message in await take(subscription, 1)] == [1]
    assert subscription.counts.dropped == 1
    assert "MESSAGE_UNDECODABLE" in log_lines.getvalue()


async def test_a_bus_that_stays_away_is_reported(bus, nats_server):
    subscription = LiveSubscription(
        bus, TRADE_PRINT, clock=SystemClock(), keys=TICKS, give_up_s=0.5
    )
    await subscription.open()
    nats_server.kill()
    with pytest.raises(Unavailable) as gone:
        await take(subscription, 1)
    assert gone.value.code == "BUS_GONE"


async def test_stop_ends_the_iteration(bus):
    subscription = await subscribe_live(bus, TRADE_PRINT, clock=SystemClock(), **TICKS)
    reader = asyncio.create_task(take(subscription, 1))
    subscription.stop()
    assert await reader == []


async def test_a_consumer_that_does_not_read_is_seen_as_pending(bus):
    assert await streams.slowest_pending(bus, TRADE_PRINT.stream) == 0
    await subscribe_live(bus, TRADE_PRINT, clock=SystemClock(), **TICKS)
    publisher = Publisher(bus)
    for number in range(5):
        await publisher.publish(TRADE_PRINT, trade(number + 1))
    assert await streams.slowest_pending(bus, TRADE_PRINT.stream) == 5
