"""`python -m titan_market.feed --home DIR`: the feed as a process.

Owns start and end: settings, the choice of source, connections. Must never stamp or pace events.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from titan_mesh.bus.connection import connect
from titan_mesh.clock import SystemClock
from titan_mesh.errors import SettingError
from titan_mesh.settings import Settings, read_settings
from titan_mesh.telemetry.logs import Log

from titan_market.feed.bus_link import BusLink
from titan_market.feed.limits import BUS_CONNECT_S
from titan_market.feed.pacing import SPEED_SCALE, Schedule
from titan_market.feed.player import Player
from titan_market.feed.progress import FeedProgress
from titan_market.feed.source import (
    FeedEvent,
    find_recordings,
    first_seconds,
    play_recordings,
    play_synthetic,
)
from titan_market.feed.stamps import stamp_now, venue_message
from titan_market.feed.venue_link import Books, VenueLink
from titan_market.instruments import load_specs
from titan_market.process import on_stop_signals, run
from titan_market.settings import FeedSettings, VenueSettings

PROGRESS_FILE = Path("run") / "feed.json"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m titan_market.feed", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="TITAN_HOME of the mesh")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--data", help="play the captures of this directory or file")
    what.add_argument("--seed", type=int, help="play the synthetic market of this seed")
    parser.add_argument("--speed", help="market seconds per second, a decimal")
    parser.add_argument("--seconds", type=int, help="market seconds to play")
    parser.add_argument(
        "--keep-skew", action="store_true", help="stamp events off by the recorder's clock error"
    )
    return parser.parse_args(arguments)


def _settings(settings: Settings, options: argparse.Namespace) -> FeedSettings:
    """titan.toml, overridden by the command line."""
    feed = settings.section("feed", FeedSettings)
    if options.data is not None:
        # A path of the command line is relative to where it was typed.
        feed = replace(feed, source="capture", data=str(Path(options.data).absolute()))
    if options.seed is not None:
        feed = replace(feed, source="synthetic", seed=options.seed)
    if options.speed is not None:
        feed = replace(feed, speed=_decimal(options.speed))
    if options.seconds is not None:
        feed = replace(feed, market_seconds=options.seconds)
    feed = replace(feed, keep_skew=feed.keep_skew or options.keep_skew)
    feed.check()
    return feed


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise SettingError(
            "SETTING_INVALID", "--speed is no decimal", "feed.speed", text, "for example 20"
        ) from None


def _source(settings: Settings, feed: FeedSettings) -> tuple[str, Iterator[FeedEvent]]:
    """What is played, in words and as events."""
    specs = load_specs(settings.mesh().instruments)
    if feed.source == "capture":
        recordings = find_recordings(settings.home / feed.data, specs)
        events = play_recordings(recordings)
        if feed.market_seconds:
            events = first_seconds(events, feed.market_seconds)
        return ", ".join(recording.head.data_symbol for recording in recordings), events
    symbol = "BTCUSDT" if "BTCUSDT" in specs else min(specs)
    return f"synthetic seed {feed.seed}", play_synthetic(symbol, feed.seed, feed.market_seconds)


async def serve(options: argparse.Namespace, log: Log) -> None:
    """Plays to the end or until a stop signal."""
    home, clock = options.home.absolute(), SystemClock()
    settings = read_settings(home)
    feed = _settings(settings, options)
    source, events = _source(settings, feed)
    venue = settings.section("venue", VenueSettings)
    url = settings.nats().url
    bus = BusLink(await connect(url, name="feed", log=log, give_up_s=BUS_CONNECT_S), clock)
    books = Books()
    link = VenueLink(
        venue.socket,
        books,
        lambda event: venue_message(
            event, stamp_now(event, clock.unix_ns(), clock.boottime_ns(), feed.keep_skew)
        ),
        clock,
    )
    player = Player(
        clock=clock,
        schedule=Schedule(int(feed.speed * SPEED_SCALE)),
        link=link,
        books=books,
        bus=bus,
        progress=FeedProgress(source, str(feed.speed), total_market_seconds=feed.market_seconds),
        progress_path=home / PROGRESS_FILE,
        venue=settings.mesh().venue,
        keep_skew=feed.keep_skew,
    )
    on_stop_signals(player.stop)
    player.report("waiting")
    log.info("started", source=source, speed=feed.speed)
    try:
        await player.play(events)
    except Exception as fault:
        player.report("failed", str(fault))
        raise
    finally:
        await bus.close()
    progress = player.progress
    log.info(
        "ended",
        state=progress.state,
        events=progress.events,
        dropped=bus.dropped,
        market_seconds=progress.market_seconds,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses arguments and plays."""
    options = _arguments(arguments)
    log = Log("feed", SystemClock())
    return run(log, lambda: serve(options, log))


if __name__ == "__main__":
    sys.exit(main())
