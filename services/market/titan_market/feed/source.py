"""What the feed plays: recorded captures or the synthetic market, as one stream in time order.

Owns the choice of symbols and the order of events. Must never stamp them or know the present.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from titan.trading.v1 import instrument_pb2
from titan_mesh.errors import TitanError

from titan_market.events import DepthDiff, Snapshot, TradePrint
from titan_market.importers.binance import BinanceCapture, CaptureHead, is_capture, read_head
from titan_market.importers.grid import Grid
from titan_market.importers.sync import ChainedDelta, DepthSync
from titan_market.synthetic import SyntheticMarket, SyntheticSettings

NS_PER_S = 1_000_000_000
FeedEvent = Snapshot | ChainedDelta | TradePrint
Specs = Mapping[str, instrument_pb2.InstrumentSpec]


@dataclass(frozen=True, slots=True)
class Recording:
    """One capture with the instrument it is played as."""

    head: CaptureHead
    spec: instrument_pb2.InstrumentSpec


def find_recordings(data: Path, specs: Specs) -> list[Recording]:
    """Captures below a directory that have an instrument; DATA_UNUSABLE when none has."""
    by_data_symbol = {spec.data_symbol: spec for spec in specs.values() if spec.data_symbol}
    paths = [data] if data.is_file() else sorted(p for p in data.rglob("*") if p.is_file())
    heads = [read_head(path) for path in paths if is_capture(path)]
    found = [
        Recording(head, by_data_symbol[head.data_symbol])
        for head in heads
        if head.data_symbol in by_data_symbol
    ]
    symbols = [recording.spec.symbol for recording in found]
    if not found or len(set(symbols)) != len(symbols):
        raise TitanError(
            code="DATA_UNUSABLE",
            message="--data must hold one capture of each market, with an instrument file",
            field="data",
            value=", ".join(head.data_symbol for head in heads) or str(data),
            limit=", ".join(sorted(by_data_symbol)),
            hint="Choose a directory of raw captures, or add an instrument with that data_symbol.",
        )
    return found


def play_recording(recording: Recording) -> Iterator[FeedEvent]:
    """One capture from its first snapshot on; stamps never go back."""
    symbol = recording.spec.symbol
    grid = Grid(recording.spec.tick_size, recording.spec.lot_size)
    sync = DepthSync(recording.head.rule)
    last_ns = 0
    for event in BinanceCapture(recording.head, grid):
        ready: list[Snapshot | ChainedDelta] | list[TradePrint] = []
        if isinstance(event, Snapshot):
            ready = sync.on_snapshot(event)
        elif isinstance(event, DepthDiff):
            ready = sync.on_diff(event)
        elif isinstance(event, TradePrint) and last_ns:
            ready = [event]
        for item in ready:
            # Held diffs are older than the snapshot that lets them out.
            last_ns = max(last_ns, item.recorded_ns)
            yield replace(item, symbol=symbol, recorded_ns=last_ns)


def play_recordings(recordings: list[Recording]) -> Iterator[FeedEvent]:
    """All captures, merged by the time they were recorded."""
    return heapq.merge(*map(play_recording, recordings), key=lambda event: event.recorded_ns)


def first_seconds(events: Iterator[FeedEvent], market_seconds: int) -> Iterator[FeedEvent]:
    """The beginning of a recording."""
    end_ns = 0
    for event in events:
        end_ns = end_ns or event.recorded_ns + market_seconds * NS_PER_S
        if event.recorded_ns > end_ns:
            return
        yield event


def play_synthetic(symbol: str, seed: int, market_seconds: int) -> Iterator[FeedEvent]:
    """The synthetic market of a seed."""
    settings = SyntheticSettings(symbol=symbol, steps=market_seconds * 10)
    return iter(SyntheticMarket(settings, random.Random(seed)))
