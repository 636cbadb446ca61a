"""Feed to venue over a real socket; sources, pacing, stamps."""

import asyncio
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from titan.venue.v1 import venue_pb2
from titan_book import BookSide, OrderBook, SequenceRule
from titan_market.events import Snapshot, TradePrint
from titan_market.feed.pacing import Schedule
from titan_market.feed.player import Player
from titan_market.feed.progress import FeedProgress
from titan_market.feed.source import find_recordings, play_recordings, play_synthetic
from titan_market.feed.stamps import bus_message, stamp_now, venue_message
from titan_market.feed.venue_link import Books, VenueLink
from titan_market.importers.sync import ChainedDelta
from titan_market.instruments import load_specs
from titan_mesh.clock import SystemClock
from titan_mesh.errors import TitanError
from unit.titan_market.venue.client import Client
from unit.titan_market.venue.test_server import serve

DATA = Path(__file__).parents[5] / "shared" / "data" / "l2-binance-20240808"
CLOCK = SystemClock()


class BusRecord:
    """Keeps what was published; `behind` is what it says of its slowest consumer."""

    def __init__(self) -> None:
        self.messages: list = []
        self.behind = 0
        self.asked = 0

    async def publish(self, message) -> None:
        self.messages.append(message)

    async def pending(self) -> int:
        self.asked += 1
        return self.behind


def player(home: Path, bus: BusRecord | None = None, speed_milli: int = 10**9, clock=CLOCK):
    books = Books()
    link = VenueLink(
        home / "v.sock",
        books,
        lambda e: venue_message(e, stamp_now(e, CLOCK.unix_ns(), CLOCK.boottime_ns(), False)),
        clock,
    )
    return Player(
        clock=clock,
        schedule=Schedule(speed_milli),
        link=link,
        books=books,
        bus=bus,
        progress=FeedProgress("test", "1"),
        progress_path=home / "run" / "feed.json",
        venue="paper",
        keep_skew=False,
    ), books


def final_book(events) -> OrderBook:
    book = OrderBook(SequenceRule.CHAINED)
    for event in events:
        if isinstance(event, Snapshot):
            book.apply_snapshot(event.update_id, event.bids, event.asks)
        elif isinstance(event, ChainedDelta):
            book.apply_delta(0, event.update_id, event.prev_update_id, event.bids, event.asks)
    return book


async def test_the_venue_holds_the_played_book_and_the_bus_saw_every_event(tmp_path):
    server = await serve(tmp_path)
    bus = BusRecord()
    events = list(play_synthetic("BTCUSDT", 3, 60))
    play, _ = player(tmp_path, bus)
    await play.play(iter(events))
    book = final_book(events)
    trader = await Client.open(tmp_path / "v.sock", "CONNECTION_ROLE_TRADING", market_data=True)
    seen = (await trader.event()).market_event.book_snapshot
    assert seen.update_id == book.last_update_id
    shown = list(zip(seen.bid_price_ticks, seen.bid_qty_lots, strict=True))
    assert shown == book.levels(BookSide.BID, 5_000)
    prints = [m for m in bus.messages if type(m).__name__ == "TradePrint"]
    assert len(prints) == sum(isinstance(e, TradePrint) for e in events) > 100
    deltas = [m for m in bus.messages if type(m).__name__ == "BookUpdate" and not m.snapshot]
    assert len(deltas) == 600
    progress = json.loads((tmp_path / "run" / "feed.json").read_text())
    assert (progress["state"], progress["done"]) == ("done", True)
    assert (progress["events"], progress["market_seconds"]) == (len(events), 60)
    await server.stop()


async def test_the_feed_survives_a_restart_of_the_venue_and_starts_it_with_whole_books(tmp_path):
    server = await serve(tmp_path)
    events = list(play_synthetic("BTCUSDT", 3, 60))
    play, _ = player(tmp_path)
    half = len(events) // 2
    restarted = []

    def interrupted():
        yield from events[:half]
        restarted.append(asyncio.ensure_future(restart()))
        yield from events[half:]

    async def restart():
        await server.stop()
        restarted.append(await serve(tmp_path))

    await play.play(interrupted())
    await restarted[0]
    assert play.progress.venue_reconnects == 1
    trader = await Client.open(tmp_path / "v.sock", "CONNECTION_ROLE_TRADING", market_data=True)
    seen = (await trader.event()).market_event.book_snapshot
    assert seen.update_id == final_book(events).last_update_id
    await restarted[1].stop()


class BackOffClock(SystemClock):
    """Tells when somebody waits."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()

    async def sleep_until(self, boottime_ns: int) -> None:
        self.waits.set()
        await super().sleep_until(boottime_ns)


async def test_a_venue_that_starts_late_is_waited_for(tmp_path):
    clock = BackOffClock()
    play, _ = player(tmp_path, clock=clock)
    playing = asyncio.create_task(play.play(islice(play_synthetic("BTCUSDT", 3, 5), 40)))
    await clock.waits.wait()
    server = await serve(tmp_path)
    await playing
    assert play.progress.events == 40
    await server.stop()


async def test_stop_ends_the_play_cleanly(tmp_path):
    server = await serve(tmp_path)
    play, _ = player(tmp_path, speed_milli=1_000)

    def events():
        for number, event in enumerate(play_synthetic("BTCUSDT", 3, 60)):
            if number == 5:
                play.stop()
            yield event

    await play.play(events())
    progress = json.loads((tmp_path / "run" / "feed.json").read_text())
    assert (progress["state"], progress["done"]) == ("stopped", False)
    assert 0 < progress["events"] < 6
    await server.stop()


async def test_the_feed_waits_for_a_bus_consumer_that_is_behind(tmp_path):
    server = await serve(tmp_path)
    bus = BusRecord()
    bus.behind = 10**6

    async def pending() -> int:
        bus.asked += 1
        if bus.asked == 4:
            bus.behind = 0
        return bus.behind

    bus.pending = pending
    play, _ = player(tmp_path, bus)
    await play.play(play_synthetic("BTCUSDT", 3, 2))
    assert bus.asked >= 4
    assert play.progress.done
    await server.stop()


async def test_a_refusal_of_the_venue_ends_the_feed_with_its_code(tmp_path):
    server = await serve(tmp_path)
    play, _ = player(tmp_path)
    strangers = (replace(e, symbol="NOPE") for e in play_synthetic("BTCUSDT", 3, 60))
    with pytest.raises(TitanError) as fault:
        await play.play(strangers)
    assert (fault.value.code, fault.value.value) == ("VENUE_REFUSED", "SYMBOL_UNKNOWN")
    await server.stop()


def test_the_schedule_follows_speed_and_moves_when_late():
    schedule = Schedule(speed_milli=10_000)
    assert schedule.wait_ns(5_000_000_000, 100) == 0
    assert schedule.wait_ns(6_000_000_000, 100) == 100_000_000
    assert schedule.wait_ns(6_000_000_000, 150_000_100) == 0
    assert schedule.moved_ns == 0
    assert schedule.wait_ns(6_000_000_000, 900_000_100) == 0
    assert schedule.moved_ns == 800_000_000
    assert schedule.wait_ns(7_000_000_000, 900_000_100) == 100_000_000


def test_stamps_are_now_and_keep_the_skew_only_when_told():
    trade = TradePrint("S", 100, 1_370, 7, 10, 3, True)
    assert stamp_now(trade, 5_000, 900, False) == (5_000, 900)
    assert stamp_now(trade, 5_000, 900, True) == (6_270, 2_170)
    stamp = stamp_now(trade, 5_000, 900, False)
    message = venue_message(trade, stamp)
    assert (message.event_time_ns, message.recorded_ns, message.event_boottime_ns) == (
        5_000,
        100,
        900,
    )
    assert message.public_trade.seller_is_taker
    assert bus_message(trade, stamp, "paper").trade_id == 7
    assert isinstance(venue_pb2.VenueRequest(market_event=message), venue_pb2.VenueRequest)


def test_data_without_an_instrument_is_refused(tmp_path):
    with pytest.raises(TitanError) as fault:
        find_recordings(tmp_path, load_specs(None))
    assert fault.value.code == "DATA_UNUSABLE"


@pytest.mark.skipif(not DATA.is_dir(), reason="recorded captures are not on this machine")
def test_recordings_play_snapshot_first_in_time_order():
    recordings = find_recordings(DATA / "spot", load_specs(None))
    assert {r.spec.symbol for r in recordings} == {"BTCUSDT-SPOT", "ETHUSDT-SPOT"}
    events = list(islice(play_recordings(recordings), 5_000))
    stamps = [event.recorded_ns for event in events]
    assert stamps == sorted(stamps)
    seen: dict[str, int] = {}
    for event in events:
        if isinstance(event, Snapshot):
            seen[event.symbol] = event.update_id
        elif isinstance(event, ChainedDelta):
            assert event.prev_update_id == seen[event.symbol]
            seen[event.symbol] = event.update_id
        else:
            assert event.symbol in seen
    assert len(seen) == 2
