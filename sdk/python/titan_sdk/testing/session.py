"""Recorded market sessions as JSON lines: what the test kit replays.

Owns the two event shapes and their file form. Must never know a strategy or a clock.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

from titan_mesh.errors import TitanError


@dataclass(frozen=True, slots=True)
class BookEvent:
    """A BookUpdate in plain Python."""

    symbol: str
    recorded_ns: int
    snapshot: bool
    prev_update_id: int
    update_id: int
    bid_price_ticks: list[int]
    bid_qty_lots: list[int]
    ask_price_ticks: list[int]
    ask_qty_lots: list[int]
    event_time_ns: int = 0


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """A TradePrint in plain Python."""

    symbol: str
    recorded_ns: int
    price_ticks: int
    qty_lots: int
    seller_is_taker: bool
    event_time_ns: int = 0


SessionEvent = BookEvent | TradeEvent
_KINDS: dict[str, type[BookEvent] | type[TradeEvent]] = {"book": BookEvent, "trade": TradeEvent}


def write_session(path: Path, events: Iterable[SessionEvent]) -> int:
    """Write events as {"book": {..}} and {"trade": {..}} lines, gzipped when the name ends in
    .gz; how many.
    """
    count = 0
    with _open(path, "wt") as stream:
        for event in events:
            kind = "book" if isinstance(event, BookEvent) else "trade"
            stream.write(json.dumps({kind: asdict(event)}, separators=(",", ":")) + "\n")
            count += 1
    return count


def read_session(path: Path) -> Iterator[SessionEvent]:
    """The events of a file, in order; SESSION_LINE names the first line that is not one."""
    with _open(path, "rt") as stream:
        for number, line in enumerate(stream, 1):
            try:
                ((kind, fields),) = json.loads(line).items()
                event = _KINDS[kind](**fields)
            except (ValueError, KeyError, TypeError, AttributeError) as fault:
                raise TitanError(
                    code="SESSION_LINE",
                    message=f"{path.name} line {number} is no session event: {fault!r}",
                    field=f"{path.name}:{number}",
                    value=line[:60],
                    limit='{"book": {..}} or {"trade": {..}}',
                    hint="Write sessions with titan_sdk.testing.write_session.",
                ) from None
            yield event


def _open(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, mode, encoding="utf-8"))
    return path.open(mode, encoding="utf-8")
