"""Plan, apply and verify against a real nats-server."""

from __future__ import annotations

import pytest
from titan.topology import STREAMS, TITAN_EXECUTION, TITAN_MARKETDATA
from titan_mesh.bus import streams
from titan_mesh.errors import SpecDrift


async def test_apply_twice_changes_nothing(make_bus):
    bus = await make_bus()
    assert not await streams.provisioned(bus)
    first = await streams.apply(bus)
    assert {change.name for change in first} >= set(STREAMS)
    assert await streams.provisioned(bus)
    assert await streams.apply(bus) == []
    await streams.verify(bus)


async def mutate_stream(bus, **fields):
    info = await bus.api(f"STREAM.INFO.{TITAN_EXECUTION.name}")
    answer = await bus.api(f"STREAM.UPDATE.{TITAN_EXECUTION.name}", {**info["config"], **fields})
    assert "error" not in answer


async def mutate_consumer(bus, consumer, **fields):
    stream = consumer.event.stream.name
    info = await bus.api(f"CONSUMER.INFO.{stream}.{consumer.durable}")
    config = {**info["config"], **fields}
    body = {"stream_name": stream, "config": config, "action": "update"}
    answer = await bus.api(f"CONSUMER.CREATE.{stream}.{consumer.durable}", body)
    assert "error" not in answer


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_bytes", 1 << 20), ("duplicate_window", 1_000_000_000), ("max_msg_size", 100)],
)
async def test_verify_finds_a_mutated_stream_and_apply_repairs_it(bus, field, value):
    await mutate_stream(bus, **{field: value})
    with pytest.raises(SpecDrift) as drift:
        await streams.verify(bus)
    assert f"stream {TITAN_EXECUTION.name}.{field}: found {value}" in drift.value.message
    await streams.apply(bus)
    await streams.verify(bus)


async def test_verify_finds_a_mutated_consumer(bus):
    (durable,) = [item for item in streams.durables() if item.is_money]
    await mutate_consumer(bus, durable, max_ack_pending=7)
    with pytest.raises(SpecDrift) as drift:
        await streams.verify(bus, "brain")
    assert f"{durable.durable}.max_ack_pending: found 7" in drift.value.message


async def test_a_participant_checks_only_what_it_touches(bus):
    await bus.js.delete_stream(TITAN_EXECUTION.name)
    await streams.verify(bus, "feed")
    with pytest.raises(SpecDrift) as drift:
        await streams.verify(bus, "execution")
    assert drift.value.message == f"1 differences: stream {TITAN_EXECUTION.name}: missing"


async def test_what_the_server_cannot_change_needs_a_person(bus):
    await bus.js.delete_stream(TITAN_MARKETDATA.name)
    config = streams.stream_config(TITAN_MARKETDATA) | {"storage": "file"}
    await bus.api(f"STREAM.CREATE.{TITAN_MARKETDATA.name}", config)
    with pytest.raises(SpecDrift) as drift:
        await streams.apply(bus)
    assert "storage: found 'file', wanted 'memory'" in drift.value.message


async def test_memory_streams_come_back_after_a_restart(bus, make_bus, nats_server):
    await nats_server.stop()
    await nats_server.start()
    again = await make_bus()
    restored = await streams.restore_memory_streams(again)
    assert restored in ([TITAN_MARKETDATA.name], [])
    await streams.verify(again)


async def test_a_durable_has_no_back_off_of_the_server(bus):
    for consumer in streams.durables():
        where = f"{consumer.event.stream.name}.{consumer.durable}"
        config = (await bus.api(f"CONSUMER.INFO.{where}"))["config"]
        assert config["ack_wait"] == consumer.ack_wait_ms * 1_000_000
        assert not config.get("backoff")
