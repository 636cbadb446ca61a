"""Raw Binance captures: lines of `<local_ns> <json>`, websocket messages and REST depth snapshots.

Owns the wire names of Binance spot, USD-M and COIN-M. Must never reorder events or repair them.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from titan_book import SequenceRule
from titan_mesh.errors import TitanError

from titan_market.events import BookTicker, DepthDiff, Levels, MarketEvent, Snapshot, TradePrint
from titan_market.importers.grid import Grid

MAX_LINE_BYTES = 4 << 20
MAX_PROBE_LINES = 2_000
MAX_OFF_LOT = 16  # sizes off the grid that are forgiven; beyond it, one in 1,000
_NS_PER_MS = 1_000_000
_MARKETS = {
    "spot": SequenceRule.BINANCE_SPOT,
    "usdm": SequenceRule.BINANCE_USDM,
    "coinm": SequenceRule.BINANCE_COINM,
}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CaptureHead:
    """What a capture is about, read from its first lines."""

    path: Path
    market: str
    symbol: str

    @property
    def data_symbol(self) -> str:
        """Name that an InstrumentSpec refers to, e.g. "binance-usdm:BTCUSDT"."""
        return f"binance-{self.market}:{self.symbol}"

    @property
    def rule(self) -> SequenceRule:
        """Continuity rule of the market."""
        return _MARKETS[self.market]


@dataclass(slots=True)
class CaptureCounts:
    """What was read, and what was left aside by kind."""

    lines: int = 0
    sizes: int = 0
    off_lot: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def _fault(path: Path, line: int, code: str, message: str, value: str = "") -> TitanError:
    return TitanError(
        code=code,
        message=f"{path.name} line {line}: {message}",
        field=f"{path.name}:{line}",
        value=value[:80],
        limit="<local_ns> <json>",
        hint="The capture is damaged there; cut it before that line or take another copy.",
    )


def _open(path: Path) -> BufferedReader:
    with path.open("rb") as probe:
        zipped = probe.read(2) == b"\x1f\x8b"
    return cast(BufferedReader, gzip.open(path, "rb")) if zipped else path.open("rb")


def _lines(path: Path) -> Iterator[tuple[int, int, Json]]:
    """(line number, local_ns, message) of every line; every fault names its line."""
    number = 0
    try:
        with _open(path) as stream:
            while True:
                raw = stream.readline(MAX_LINE_BYTES)
                if not raw:
                    return
                number += 1
                yield number, *_message(path, number, raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
        raise _fault(path, number + 1, "CAPTURE_TRUNCATED", f"archive ends: {fault}") from None


def _message(path: Path, number: int, raw: bytes) -> tuple[int, Json]:
    if not raw.endswith(b"\n"):
        code = "CAPTURE_TRUNCATED" if len(raw) < MAX_LINE_BYTES else "CAPTURE_LINE_TOO_LONG"
        raise _fault(path, number, code, f"no end of line within {MAX_LINE_BYTES} bytes")
    stamp, _, body = raw.partition(b" ")
    if not stamp.isdigit() or len(stamp) != 19:
        raise _fault(path, number, "CAPTURE_STAMP", "no local time in ns", repr(stamp[:40]))
    try:
        # Floats would lose digits: any number token with a dot stays text.
        message = json.loads(body, parse_float=str)
    except ValueError as fault:
        raise _fault(path, number, "CAPTURE_JSON", f"not JSON ({fault})") from None
    if not isinstance(message, dict):
        raise _fault(path, number, "CAPTURE_JSON", "not a JSON object")
    return int(stamp), message


def is_capture(path: Path) -> bool:
    """True when the file starts like a raw capture."""
    try:
        with _open(path) as stream:
            start = stream.read(21)
    except (OSError, EOFError, zlib.error):
        return False
    return len(start) == 21 and start[:19].isdigit() and start[19:] == b" {"


def read_head(path: Path) -> CaptureHead:
    """Market and symbol of a capture; CAPTURE_UNKNOWN when its first lines do not tell."""
    for number, _, message in _lines(path):
        data = message.get("data")
        if isinstance(data, dict) and data.get("e") == "depthUpdate":
            market = "coinm" if "ps" in data else "usdm" if "pu" in data else "spot"
            return CaptureHead(path, market, str(data.get("s", "")))
        if number >= MAX_PROBE_LINES:
            break
    raise _fault(path, 1, "CAPTURE_UNKNOWN", f"no depth message in {MAX_PROBE_LINES} lines")


class BinanceCapture:
    """Iterates one capture as typed events, in file order."""

    def __init__(self, head: CaptureHead, grid: Grid) -> None:
        self.head = head
        self.counts = CaptureCounts()
        self._grid = grid

    def __iter__(self) -> Iterator[MarketEvent]:
        for number, local_ns, message in _lines(self.head.path):
            self.counts.lines += 1
            try:
                event = self._event(local_ns, message)
            except TitanError as fault:
                place = f"{self.head.path.name} line {number}"
                raise TitanError(
                    code=fault.code,
                    message=f"{place}: {fault.message}",
                    field=fault.field,
                    value=fault.value,
                    limit=fault.limit,
                    hint=fault.hint,
                ) from None
            except (KeyError, ValueError, TypeError, AttributeError) as fault:
                raise _fault(
                    self.head.path, number, "CAPTURE_FIELD", f"field missing or wrong: {fault!r}"
                ) from None
            if event is not None:
                yield event

    def _event(self, local_ns: int, message: Json) -> MarketEvent | None:
        if "lastUpdateId" in message:
            return self._snapshot(local_ns, message)
        data = message.get("data", message)
        stream = str(message.get("stream", ""))
        kind = data.get("e")
        if kind is None and stream.endswith("@bookTicker"):
            kind = "bookTicker"  # spot names it only in the stream
        symbol = data.get("s")
        if symbol is not None and symbol != self.head.symbol:
            raise ValueError(f"symbol {symbol} in a capture of {self.head.symbol}")
        if kind == "depthUpdate":
            return self._diff(local_ns, data)
        if kind == "bookTicker":
            return self._ticker(local_ns, data)
        if kind == "trade":
            return self._trade(local_ns, data)
        self.counts.skipped[str(kind)[:24]] += 1
        return None

    def _level(self, price: str, qty: str) -> tuple[int, int]:
        counts = self.counts
        lots, on_grid = self._grid.qty_lots(qty)
        counts.sizes += 1
        if not on_grid:
            counts.off_lot += 1
            if counts.off_lot > max(MAX_OFF_LOT, counts.sizes // 1_000):
                raise TitanError(
                    code="OFF_LOT",
                    message=f"{counts.off_lot} of {counts.sizes} sizes are no multiple of the lot",
                    field="qty",
                    value=qty,
                    limit=f"lot_size {self._grid.lot_size}",
                    hint="The instrument file and the capture differ; check its lot_size.",
                )
        return self._grid.price_ticks(price), lots

    def _levels(self, rows: list[list[str]]) -> Levels:
        return [self._level(row[0], row[1]) for row in rows]

    def _snapshot(self, local_ns: int, data: Json) -> Snapshot:
        stamp_ms = data.get("E")  # spot gives none
        return Snapshot(
            symbol=self.head.symbol,
            recorded_ns=local_ns,
            venue_ns=int(stamp_ms) * _NS_PER_MS if stamp_ms is not None else local_ns,
            update_id=int(data["lastUpdateId"]),
            bids=self._levels(data["bids"]),
            asks=self._levels(data["asks"]),
        )

    def _diff(self, local_ns: int, data: Json) -> DepthDiff:
        return DepthDiff(
            symbol=self.head.symbol,
            recorded_ns=local_ns,
            venue_ns=int(data["E"]) * _NS_PER_MS,
            first_update_id=int(data["U"]),
            update_id=int(data["u"]),
            prev_update_id=int(data["pu"]) if self.head.market != "spot" else 0,
            bids=self._levels(data["b"]),
            asks=self._levels(data["a"]),
        )

    def _ticker(self, local_ns: int, data: Json) -> BookTicker:
        stamp_ms = data.get("E")
        return BookTicker(
            symbol=self.head.symbol,
            recorded_ns=local_ns,
            venue_ns=int(stamp_ms) * _NS_PER_MS if stamp_ms is not None else local_ns,
            update_id=int(data["u"]),
            bid=self._level(data["b"], data["B"]),
            ask=self._level(data["a"], data["A"]),
        )

    def _trade(self, local_ns: int, data: Json) -> TradePrint | None:
        if data.get("X", "MARKET") != "MARKET":
            # Insurance fund and ADL prints carry no price of the market.
            self.counts.skipped[f"trade {str(data['X'])[:16]}"] += 1
            return None
        price_ticks, qty_lots = self._level(data["p"], data["q"])
        return TradePrint(
            symbol=self.head.symbol,
            recorded_ns=local_ns,
            venue_ns=int(data["E"]) * _NS_PER_MS,
            trade_id=int(data["t"]),
            price_ticks=price_ticks,
            qty_lots=qty_lots,
            seller_is_taker=bool(data["m"]),
        )
