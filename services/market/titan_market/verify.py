"""Rebuilds the books of recorded captures and compares them with every recorded bookTicker.

Owns the check `python -m titan_market.verify --data DIR`. Must never pass on nothing: a run that
compared no update id fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from titan_book import BookSide
from titan_mesh.errors import TitanError

from titan_market.events import BookTicker, DepthDiff, Snapshot, TradePrint
from titan_market.importers.binance import BinanceCapture, CaptureHead, is_capture, read_head
from titan_market.importers.grid import Grid
from titan_market.importers.sync import DepthSync
from titan_market.instruments import grid_by_data_symbol

Touch = tuple[tuple[int, int] | None, tuple[int, int] | None]
EXIT_OK, EXIT_DISAGREES, EXIT_INPUT = 0, 1, 2
MAX_EXAMPLES = 5


@dataclass(slots=True)
class CaptureVerdict:
    """Counts of one capture."""

    file: str
    data_symbol: str = ""
    lines: int = 0
    snapshots: int = 0
    diffs: int = 0
    applied: int = 0
    trades: int = 0
    tickers: int = 0
    compared: int = 0
    agreed: int = 0
    off_lot: int = 0
    gaps: int = 0
    crossed: int = 0
    error: str = ""

    @property
    def passed(self) -> bool:
        """True when something was compared and nothing was wrong."""
        clean = not (self.error or self.gaps or self.crossed)
        return clean and self.compared > 0 and self.agreed == self.compared


def _rebuild(
    capture: BinanceCapture, verdict: CaptureVerdict
) -> tuple[dict[int, Touch], dict[int, list[Touch]]]:
    """The touch after every applied update, and every recorded touch, both by update id."""
    sync = DepthSync(capture.head.rule)
    rebuilt: dict[int, Touch] = {}
    recorded: dict[int, list[Touch]] = {}
    for event in capture:
        if isinstance(event, BookTicker):
            verdict.tickers += 1
            recorded.setdefault(event.update_id, []).append((event.bid, event.ask))
        elif isinstance(event, TradePrint):
            verdict.trades += 1
        elif isinstance(event, Snapshot):
            verdict.snapshots += 1
            if sync.on_snapshot(event):
                rebuilt[sync.book.last_update_id] = _touch(sync)
        elif isinstance(event, DepthDiff):
            verdict.diffs += 1
            if sync.on_diff(event):
                verdict.applied += 1
                rebuilt[event.update_id] = _touch(sync)
    verdict.lines, verdict.off_lot = capture.counts.lines, capture.counts.off_lot
    verdict.gaps, verdict.crossed = sync.gaps, sync.crossed
    return rebuilt, recorded


def _touch(sync: DepthSync) -> Touch:
    return sync.book.best(BookSide.BID), sync.book.best(BookSide.ASK)


def verify_capture(head: CaptureHead, grid: Grid) -> CaptureVerdict:
    """Compares one capture; faults of the file become the verdict's error."""
    verdict = CaptureVerdict(head.path.name, head.data_symbol)
    try:
        rebuilt, recorded = _rebuild(BinanceCapture(head, grid), verdict)
    except TitanError as fault:
        verdict.error = str(fault)
        return verdict
    examples: list[str] = []
    for update_id, touches in recorded.items():
        if update_id not in rebuilt:
            continue
        verdict.compared += 1
        if all(touch == rebuilt[update_id] for touch in touches):
            verdict.agreed += 1
        elif len(examples) < MAX_EXAMPLES:
            examples.append(f"u={update_id}: book {rebuilt[update_id]}, venue {touches}")
    if verdict.compared == 0:
        verdict.error = "NOTHING_COMPARED: no bookTicker shares an update id with a rebuilt book"
    elif examples:
        verdict.error = "BOOK_DISAGREES: " + "; ".join(examples)
    return verdict


def verify_directory(data: Path, instruments: Path | None) -> list[CaptureVerdict]:
    """One verdict for every capture below a directory (or for one file)."""
    paths = [data] if data.is_file() else sorted(p for p in data.rglob("*") if p.is_file())
    grids = grid_by_data_symbol(instruments)
    verdicts = []
    for path in paths:
        if not is_capture(path):
            continue
        try:
            head = read_head(path)
            grid = grids.get(head.data_symbol)
            if grid is None:
                raise TitanError(
                    code="INSTRUMENT_UNKNOWN",
                    message=f"no instrument file has data_symbol {head.data_symbol}",
                    field="data_symbol",
                    value=head.data_symbol,
                    limit=", ".join(sorted(grids)),
                    hint="Add an instrument file, or name a directory with --instruments.",
                )
        except TitanError as fault:
            verdicts.append(CaptureVerdict(path.name, error=str(fault)))
            continue
        verdicts.append(verify_capture(head, grid))
    return verdicts


def _print_table(verdicts: Sequence[CaptureVerdict]) -> None:
    print(f"{'file':28} {'market':26} {'lines':>7} {'diffs':>6} {'trades':>6} {'tickers':>7} agree")
    for v in verdicts:
        print(
            f"{v.file:28} {v.data_symbol:26} {v.lines:7d} {v.applied:6d} {v.trades:6d} "
            f"{v.tickers:7d} {v.agreed}/{v.compared}, gaps {v.gaps}, crossed {v.crossed}, "
            f"off lot {v.off_lot}" + (f"\n    {v.error}" if v.error else "")
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all agree; 1: a disagreement, or nothing compared; 2: nothing to read."""
    parser = argparse.ArgumentParser(prog="python -m titan_market.verify", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory or file of captures")
    parser.add_argument("--instruments", type=Path, help="directory of instrument files")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args(arguments)
    if not options.data.exists():
        print(f"DATA_MISSING: --data {options.data} does not exist", file=sys.stderr)
        return EXIT_INPUT
    try:
        verdicts = verify_directory(options.data, options.instruments)
    except TitanError as fault:
        print(fault, file=sys.stderr)
        return EXIT_INPUT
    _print_table(verdicts)
    compared = sum(v.compared for v in verdicts)
    agreed = sum(v.agreed for v in verdicts)
    passed = bool(verdicts) and all(v.passed for v in verdicts)
    if not verdicts:
        print(f"NOTHING_COMPARED: no capture below {options.data}", file=sys.stderr)
    if options.json:
        rows = [asdict(v) for v in verdicts]
        print(
            json.dumps({"passed": passed, "compared": compared, "agreed": agreed, "captures": rows})
        )
    else:
        print(
            f"{agreed}/{compared} agree in {len(verdicts)} captures: "
            + ("passed" if passed else "FAILED")
        )
    return EXIT_OK if passed else EXIT_DISAGREES


if __name__ == "__main__":
    sys.exit(main())
