"""The venue over a real socket: framing, order of log and answer, delays, back-pressure."""

import asyncio
import random
import socket

import pytest
from titan.venue.v1 import venue_pb2
from titan_market.venue.engine import VenueEngine
from titan_market.venue.faults import LatencyModel
from titan_market.venue.ledger import Ledger
from titan_market.venue.limits import MAX_FRAME_BYTES
from titan_market.venue.orderlog import OrderLog, read_entries
from titan_market.venue.server import VenueServer, claim_socket_path
from titan_mesh.clock import SystemClock
from titan_mesh.errors import TitanError
from unit.titan_market.venue.client import BOOK, Client
from unit.titan_market.venue.rig import BUY, IOC, SPECS


async def serve(home, latency: LatencyModel | None = None) -> VenueServer:
    log, ledger = OrderLog(home / "orders.log"), Ledger()
    for entry in log.recover():
        ledger.apply(entry)
    engine = VenueEngine(SPECS, ledger, log, latency or LatencyModel(), random.Random(1))
    server = VenueServer(engine, log, SystemClock(), home / "v.sock")
    await server.start()
    return server


@pytest.fixture
async def venue(tmp_path):
    server = await serve(tmp_path)
    yield tmp_path / "v.sock"
    await server.stop()


async def feed(path, *events) -> Client:
    client = await Client.open(path, "CONNECTION_ROLE_FEED")
    for event in events:
        await client.send(market_event=event)
    assert (await client.until("feed_ack")).feed_ack.events > 0
    return client


def log_of(path):
    return [entry for entry, _ in read_entries((path.parent / "orders.log").read_bytes())]


async def test_an_order_is_in_the_log_before_it_is_answered(venue):
    await feed(venue, BOOK)
    trader = await Client.open(venue, "CONNECTION_ROLE_TRADING")
    request_id = await trader.order("a", BUY, 45, 1_002, tif=IOC)
    ack = await trader.event()
    assert (ack.request_id, ack.order_ack.client_order_id) == (request_id, "a")
    kinds = [entry.kind for entry in log_of(venue)]
    assert len(kinds) == 4  # START, ACCEPTED, two trades
    first, second = await trader.event(), await trader.event()
    assert (first.trade.qty_lots, second.trade.qty_lots) == (40, 5)
    assert log_of(venue)[2].trade == first.trade


async def test_a_restarted_venue_knows_everything_and_tells_a_new_epoch(tmp_path):
    server = await serve(tmp_path)
    await feed(tmp_path / "v.sock", BOOK)
    trader = await Client.open(tmp_path / "v.sock", "CONNECTION_ROLE_TRADING")
    await trader.order("a", BUY, 5, 1_001, tif=IOC)
    await trader.until("trade")
    await trader.order("b", BUY, 5, 1_000)
    await trader.until("order_ack")
    await server.stop()
    server = await serve(tmp_path)
    trader = await Client.open(tmp_path / "v.sock", "CONNECTION_ROLE_TRADING")
    await trader.send(query_positions={})
    assert (await trader.event()).position.position_lots == 5
    await trader.until("query_end")
    await trader.send(query_order={"client_order_id": "b"})
    assert (await trader.event()).order_state.leaves_qty_lots == 5
    await trader.order("a", BUY, 5, 1_001, tif=IOC)
    assert (await trader.event()).order_reject.code == "-2010"
    await feed(
        tmp_path / "v.sock",
        BOOK,
        {
            "symbol": "BTCUSDT",
            "public_trade": {"price_ticks": 999, "qty_lots": 9, "seller_is_taker": True},
        },
    )
    assert (await trader.event()).trade.client_order_id == "b"
    starts = [entry.venue_epoch for entry in log_of(tmp_path / "v.sock") if entry.venue_epoch]
    assert starts == [1, 2]
    await server.stop()


async def test_answers_wait_for_the_ack_delay_and_market_data_does_not(tmp_path):
    server = await serve(tmp_path, LatencyModel(ack_delay_ns=150_000_000))
    path = tmp_path / "v.sock"
    source = await feed(path, BOOK)
    trader = await Client.open(path, "CONNECTION_ROLE_TRADING", market_data=True)
    await trader.until("market_event")
    clock = SystemClock()
    started = clock.boottime_ns()
    await trader.order("a", BUY, 5, 1_001, tif=IOC)
    await source.send(
        market_event={"symbol": "BTCUSDT", "book_delta": {"prev_update_id": 100, "update_id": 101}}
    )
    bodies = [(await trader.event()).WhichOneof("body") for _ in range(3)]
    assert bodies == ["market_event", "order_ack", "trade"]
    assert clock.boottime_ns() - started >= 150_000_000
    assert len(log_of(path)) == 3
    await server.stop()


async def test_two_frames_in_pieces_and_batches(venue):
    reader, writer = await asyncio.open_unix_connection(str(venue))
    logon = venue_pb2.VenueRequest(request_id=1, logon={"role": 1, "account": "main"})
    query = venue_pb2.VenueRequest(request_id=2, query_positions={})
    wire = b""
    for request in (logon, query, query):
        body = request.SerializeToString()
        wire += len(body).to_bytes(4, "little") + body
    for at in range(0, len(wire), 3):
        writer.write(wire[at : at + 3])
        await writer.drain()
    client = Client(reader, writer)
    assert [(await client.event()).request_id for _ in range(3)] == [1, 2, 2]
    await client.close()


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ((MAX_FRAME_BYTES + 1).to_bytes(4, "little"), "FRAME_LENGTH"),
        (bytes(4), "FRAME_LENGTH"),
        (b"\x02\x00\x00\x00\xff\xff", "REQUEST_MALFORMED"),
    ],
)
async def test_a_broken_frame_is_named_and_ends_the_connection(venue, wire, code):
    reader, writer = await asyncio.open_unix_connection(str(venue))
    client = Client(reader, writer)
    writer.write(wire)
    assert (await client.event()).request_refused.code == code
    assert await reader.read() == b""
    await client.close()


async def test_disconnect_and_slow_listener_hold_the_feed(venue):
    source = await feed(venue, BOOK)
    slow = await Client.open(venue, "CONNECTION_ROLE_TRADING", market_data=True)
    await slow.until("market_event")
    slow.reader._transport.pause_reading()
    big = {
        "symbol": "BTCUSDT",
        "book_delta": {"bid_price_ticks": list(range(1, 900)), "bid_qty_lots": [7] * 899},
    }
    events = 1
    for update in range(101, 1_000):
        big["book_delta"] |= {"prev_update_id": update - 1, "update_id": update}
        await source.send(market_event=big)
        events += 1
        try:
            ack = await asyncio.wait_for(source.until("feed_ack"), 0.5)
        except TimeoutError:
            break
        assert ack.feed_ack.events == events
    else:
        pytest.fail("the feed was never held")
    admin = await Client.open(venue, "CONNECTION_ROLE_ADMIN")
    await admin.send(set_faults={"disconnect_now": True})
    await admin.until("query_end")
    assert (await source.until("feed_ack")).feed_ack.events == events


async def test_the_socket_path_is_claimed_with_care(tmp_path, venue):
    with pytest.raises(TitanError) as fault:
        claim_socket_path(venue)
    assert fault.value.code == "SOCKET_IN_USE"
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(stale))
    claim_socket_path(stale)
    assert not stale.exists()
    with pytest.raises(TitanError) as fault:
        claim_socket_path(tmp_path / ("x" * 108))
    assert fault.value.code == "SOCKET_PATH_TOO_LONG"


async def test_an_order_that_cannot_be_logged_is_not_answered_and_ends_the_venue(tmp_path):
    server = await serve(tmp_path)
    await feed(tmp_path / "v.sock", BOOK)
    trader = await Client.open(tmp_path / "v.sock", "CONNECTION_ROLE_TRADING")

    def full() -> None:
        raise OSError(28, "No space left on device")

    server._log.flush = full
    await trader.order("a", BUY, 5, 1_001)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await trader.event()
    with pytest.raises(OSError, match="No space left"):
        await server.run(asyncio.Event())
    await server.stop()
    assert [entry.kind for entry in log_of(tmp_path / "v.sock")] == [1]
