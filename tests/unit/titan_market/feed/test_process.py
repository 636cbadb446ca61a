"""The feed as a process beside a real venue and a real nats-server."""

import asyncio
import contextlib
import json
import signal
from pathlib import Path

import pytest
from titan import topology
from titan_book import BookCode, BookSide, OrderBook, SequenceRule
from titan_mesh.bus import streams
from titan_mesh.bus.connection import connect
from titan_mesh.bus.live import subscribe_live
from titan_mesh.clock import SystemClock
from titan_mesh.nats_server import NatsOptions, NatsServer
from titan_mesh.telemetry.logs import Log
from unit.titan_market.venue.client import Client
from unit.titan_market.venue.test_process import TOML, process, ready

INSTRUMENTS = Path(__file__).parents[4] / "compose" / "instruments"
DATA = Path(__file__).parents[5] / "shared" / "data" / "l2-binance-20240808"
FEED = """
[nats]
url = "{url}"
monitor_url = "{monitor}"

[feed]
source = "synthetic"
data = ""
seed = 7
speed = "200"
market_seconds = 30
keep_skew = false
"""
CLOCK = SystemClock()
LOG = Log("test", CLOCK)


@pytest.fixture
async def server(tmp_path):
    nats = NatsServer(NatsOptions(tmp_path / "nats"))
    await nats.start()
    bus = await connect(nats.url, name="test", log=LOG)
    await streams.apply(bus)
    yield nats, bus
    await bus.close()
    await nats.stop()


@pytest.fixture
def home(tmp_path, server):
    nats, _ = server
    (tmp_path / "run").mkdir()
    (tmp_path / "titan.toml").write_text(
        TOML.format(instruments=INSTRUMENTS) + FEED.format(url=nats.url, monitor=nats.monitor_url)
    )
    return tmp_path


@contextlib.asynccontextmanager
async def venue(home):
    async with process("titan_market.venue", "--home", str(home)) as running:
        await ready(running)
        yield running


def progress(home) -> dict:
    return json.loads((home / "run" / "feed.json").read_text())


async def book_on_bus(bus, updates: int) -> tuple[OrderBook, int]:
    """A phase's view: the book after so many updates of the stream, and its trades."""
    book, seen = OrderBook(SequenceRule.CHAINED), 0
    live = await subscribe_live(bus, topology.BOOK_UPDATE, clock=CLOCK, start="all")
    async for delivery in live:
        m = delivery.message
        bids = list(zip(m.bid_price_ticks, m.bid_qty_lots, strict=True))
        asks = list(zip(m.ask_price_ticks, m.ask_qty_lots, strict=True))
        if m.snapshot:
            assert book.apply_snapshot(m.update_id, bids, asks) == BookCode.OK
        else:
            seen += 1
            assert book.apply_delta(0, m.update_id, m.prev_update_id, bids, asks) == BookCode.OK
        if seen == updates:
            live.stop()
    return book, seen


async def test_venue_and_bus_end_with_the_same_book(home, server):
    _, bus = server
    async with venue(home), process("titan_market.feed", "--home", str(home)) as feed:
        assert await asyncio.wait_for(feed.wait(), 30) == 0
        assert (progress(home)["state"], progress(home)["market_seconds"]) == ("done", 30)
        trader = await Client.open(
            home / "run" / "venue.sock", "CONNECTION_ROLE_TRADING", market_data=True
        )
        shown = (await trader.event()).market_event.book_snapshot
        book, seen = await asyncio.wait_for(book_on_bus(bus, 300), 20)
    assert seen == 300
    assert shown.update_id == book.last_update_id
    assert (shown.bid_price_ticks[0], shown.bid_qty_lots[0]) == book.best(BookSide.BID)
    assert (shown.ask_price_ticks[0], shown.ask_qty_lots[0]) == book.best(BookSide.ASK)


async def test_a_dead_bus_does_not_stop_the_venues_market(home, server):
    nats, bus = server
    async with venue(home):
        arguments = ("--home", str(home), "--speed", "30")
        async with process("titan_market.feed", *arguments) as feed:
            live = await subscribe_live(bus, topology.BOOK_UPDATE, clock=CLOCK, start="all")
            async for _ in live.batches():
                live.stop()
            nats.kill()
            _, lines = await asyncio.wait_for(feed.communicate(), 30)
    assert feed.returncode == 0
    assert b" ended " in lines
    assert b"dropped=0" not in lines
    assert (progress(home)["done"], progress(home)["market_seconds"]) == (True, 30)


async def test_sigterm_stops_and_says_so(home):
    async with (
        venue(home),
        process("titan_market.feed", "--home", str(home), "--speed", "1", "--seed", "3") as feed,
    ):
        trader = await Client.open(
            home / "run" / "venue.sock", "CONNECTION_ROLE_TRADING", market_data=True
        )
        await asyncio.wait_for(trader.until("market_event"), 20)
        feed.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(feed.wait(), 10) == 0
    assert (progress(home)["state"], progress(home)["done"]) == ("stopped", False)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("--speed", "0"), 64, b"SETTING_INVALID"),
        (("--speed", "fast"), 64, b"SETTING_INVALID"),
        (("--data", "nowhere"), 64, b"DATA_UNUSABLE"),
    ],
)
async def test_wrong_arguments_end_with_their_code(home, arguments, status, code):
    async with process("titan_market.feed", "--home", str(home), *arguments) as feed:
        _, errors = await feed.communicate()
    assert feed.returncode == status
    assert code in errors


async def test_no_bus_at_the_start_is_a_missing_dependency(home, server):
    server[0].kill()
    async with process("titan_market.feed", "--home", str(home)) as feed:
        _, errors = await asyncio.wait_for(feed.communicate(), 40)
    assert feed.returncode == 75
    assert b"BUS_UNAVAILABLE" in errors


@pytest.mark.skipif(not DATA.is_dir(), reason="recorded captures are not on this machine")
async def test_a_recording_is_played(home):
    arguments = ("--data", str(DATA / "usdm"), "--speed", "100", "--seconds", "60")
    async with venue(home), process("titan_market.feed", "--home", str(home), *arguments) as feed:
        assert await asyncio.wait_for(feed.wait(), 30) == 0
    done = progress(home)
    assert (done["symbols"], done["done"]) == (["BTCUSDT"], True)
    assert done["market_seconds"] >= 59
    assert done["trades"] > 1_000
