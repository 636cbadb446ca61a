"""Markets for Scavenger's tests: synthetic ones always, recorded ones when they lie near by."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from titan_market.events import BookTicker, Snapshot, TradePrint
from titan_market.feed.source import (
    FeedEvent,
    Recording,
    find_recordings,
    play_recording,
    play_synthetic,
)
from titan_market.importers.binance import BinanceCapture
from titan_market.importers.grid import Grid
from titan_mesh.instruments import load_instruments
from titan_sdk.testing import BookEvent, SessionEvent, TradeEvent

REPOSITORY = Path(__file__).parents[3]
CAPTURES = REPOSITORY.parent / "shared" / "data" / "l2-binance-20240808"


def session(events: Iterator[FeedEvent]) -> list[SessionEvent]:
    """The feed's events as the test kit replays them."""
    return [_plain(event) for event in events]


def _plain(event: FeedEvent) -> SessionEvent:
    if isinstance(event, TradePrint):
        return TradeEvent(
            event.symbol,
            event.recorded_ns,
            event.price_ticks,
            event.qty_lots,
            event.seller_is_taker,
        )
    whole = isinstance(event, Snapshot)
    return BookEvent(
        event.symbol,
        event.recorded_ns,
        whole,
        0 if whole else event.prev_update_id,
        event.update_id,
        [price for price, _ in event.bids],
        [lots for _, lots in event.bids],
        [price for price, _ in event.asks],
        [lots for _, lots in event.asks],
    )


@cache
def synthetic(seed: int, market_seconds: int = 600) -> tuple[SessionEvent, ...]:
    """Ten market minutes of a seed."""
    return tuple(session(play_synthetic("BTCUSDT", seed, market_seconds)))


def _recording(kind: str) -> Recording:
    loaded = load_instruments(REPOSITORY / "compose" / "instruments")
    specs = {symbol: instrument.spec for symbol, instrument in loaded.items()}
    found = find_recordings(CAPTURES / kind, specs)
    return next(item for item in found if item.spec.symbol.startswith("BTCUSDT"))


@cache
def recorded(kind: str) -> tuple[SessionEvent, ...]:
    """One recorded BTCUSDT market ("usdm" or "spot") as the feed plays it."""
    return tuple(session(play_recording(_recording(kind))))


@cache
def touches(kind: str) -> tuple[BookTicker, ...]:
    """Every change of the best bid and ask that the venue itself told."""
    found = _recording(kind)
    grid = Grid(found.spec.tick_size, found.spec.lot_size)
    capture = BinanceCapture(found.head, grid)
    return tuple(event for event in capture if isinstance(event, BookTicker))
