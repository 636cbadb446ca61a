"""Publishing against a real nats-server."""

from __future__ import annotations

import asyncio

import pytest
from titan.execution.v1.execution_report_pb2 import ExecutionReport
from titan.topology import BOOK_UPDATE, EXECUTION_REPORT, TITAN_EXECUTION, TITAN_MARKETDATA
from titan_mesh.bus import headers as names
from titan_mesh.bus.connection import connect
from titan_mesh.bus.publisher import Publisher, Window, headers_of, subject_for
from titan_mesh.errors import BusError, InvalidMessage, Unavailable


def report(lsn, account="paper-main"):
    return ExecutionReport(account=account, lsn=lsn)


async def stored(bus, stream):
    return (await bus.api(f"STREAM.INFO.{stream}"))["state"]["messages"]


async def test_an_event_is_stored_with_its_headers(bus):
    publisher = Publisher(bus)
    done = await publisher.publish(
        EXECUTION_REPORT, report(7), msg_id="paper-main:7", headers={names.LSN: "7"}
    )
    raw = await bus.js.get_msg(TITAN_EXECUTION.name, done.sequence)
    assert (done.stream, done.duplicate) == (TITAN_EXECUTION.name, False)
    assert ExecutionReport.FromString(raw.data).lsn == 7
    assert raw.subject == subject_for(EXECUTION_REPORT, account="paper-main")
    assert raw.headers[names.EVENT] == EXECUTION_REPORT.full_name
    assert (raw.headers[names.MSG_ID], raw.headers[names.LSN]) == ("paper-main:7", "7")


async def test_the_same_id_is_stored_once(bus):
    publisher = Publisher(bus)
    first = await publisher.publish(EXECUTION_REPORT, report(1), msg_id="paper-main:1")
    again = await publisher.publish(EXECUTION_REPORT, report(1), msg_id="paper-main:1")
    assert (again.sequence, again.duplicate) == (first.sequence, True)
    assert await stored(bus, TITAN_EXECUTION.name) == 1


async def test_a_key_that_is_no_token_is_named(bus):
    with pytest.raises(InvalidMessage) as refused:
        await Publisher(bus).publish(EXECUTION_REPORT, report(1, account="paper main"))
    assert (refused.value.code, refused.value.field) == ("KEY_NOT_A_TOKEN", "account")


def test_a_subject_for_bytes_needs_every_key():
    with pytest.raises(InvalidMessage) as refused:
        subject_for(BOOK_UPDATE, venue="paper")
    assert refused.value.code == "SUBJECT_OPEN"
    assert refused.value.limit == "venue, symbol"


async def test_a_missing_stream_is_named(make_bus):
    bare = await make_bus()
    with pytest.raises(BusError) as refused:
        await Publisher(bare).publish(EXECUTION_REPORT, report(1))
    assert refused.value.code == "STREAM_MISSING"


async def test_a_window_keeps_order_and_counts_what_is_stored(bus):
    window = Window(bus, max_in_flight=16)
    subject = subject_for(EXECUTION_REPORT, account="paper-main")
    for lsn in range(1, 201):
        payload = report(lsn).SerializeToString()
        headers = headers_of(EXECUTION_REPORT, f"paper-main:{lsn}")
        await window.send(subject, payload, tag=lsn, headers=headers)
        assert window.in_flight <= 16
    assert await window.flush() == 200
    first = await bus.js.get_msg(TITAN_EXECUTION.name, 1)
    last = await bus.js.get_msg(TITAN_EXECUTION.name, 200)
    lsns = [ExecutionReport.FromString(raw.data).lsn for raw in (first, last)]
    assert lsns == [1, 200]


async def test_a_window_reports_the_last_stored_tag_and_can_repeat(bus, nats_server):
    window = Window(bus, timeout_s=0.5)
    await window.publish(EXECUTION_REPORT, report(1), tag=1, msg_id="paper-main:1")
    await window.flush()
    nats_server.kill()
    with pytest.raises(Unavailable):
        await send_until_refused(window)
    assert (window.acked, window.in_flight) == (1, 0)
    await nats_server.start()
    for lsn in (2, 3):
        await retried(window, lsn)
    assert window.acked == 3
    assert await stored(bus, TITAN_EXECUTION.name) == 3


async def send_until_refused(window):
    for lsn in (2, 3):
        await window.publish(EXECUTION_REPORT, report(lsn), tag=lsn, msg_id=f"paper-main:{lsn}")
    await window.flush()


async def retried(window, lsn):
    """The client reconnects in its own time; the same bytes under the same id go out again."""
    async with asyncio.timeout(20):
        while window.acked < lsn:
            try:
                await window.publish(
                    EXECUTION_REPORT, report(lsn), tag=lsn, msg_id=f"paper-main:{lsn}"
                )
                await window.flush()
            except Unavailable:
                continue


async def test_no_server_is_a_clear_answer(log):
    with pytest.raises(Unavailable) as refused:
        await connect("nats://127.0.0.1:1", name="test", log=log, give_up_s=0.3)
    assert refused.value.code == "BUS_UNAVAILABLE"
    assert refused.value.value == "nats://127.0.0.1:1"


async def test_market_data_is_kept_in_memory(bus):
    info = await bus.api(f"STREAM.INFO.{TITAN_MARKETDATA.name}")
    assert info["config"]["storage"] == "memory"
