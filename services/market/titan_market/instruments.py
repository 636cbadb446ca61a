"""Instruments as the market side needs them: grid by capture, fees and bounds by symbol.

Owns the checks of an InstrumentSpec that the paper venue relies on. Must never know policy: what
may be traded is not decided here.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf import json_format
from titan.trading.v1 import instrument_pb2
from titan_mesh.errors import TitanError
from titan_mesh.money import nanos_of

from titan_market.importers.grid import Grid

MAX_FEE_PPM = 10_000
_REPOSITORY_INSTRUMENTS = Path(__file__).parents[3] / "compose" / "instruments"


def load_instruments(directory: Path | None) -> dict[str, instrument_pb2.InstrumentSpec]:
    """Every `*.json` of a directory by symbol; each is checked whole."""
    directory = directory or _REPOSITORY_INSTRUMENTS
    specs: dict[str, instrument_pb2.InstrumentSpec] = {}
    for path in sorted(directory.glob("*.json")):
        spec = instrument_pb2.InstrumentSpec()
        try:
            json_format.Parse(path.read_text(encoding="utf-8"), spec)
        except (json_format.ParseError, UnicodeDecodeError) as fault:
            raise _fault(path, "file", "", f"proto3 JSON of InstrumentSpec ({fault})") from None
        _check(path, spec)
        specs[spec.symbol] = spec
    if not specs:
        raise TitanError(
            code="INSTRUMENTS_MISSING",
            message=f"no instrument file in {directory}",
            field="instruments",
            value=str(directory),
            limit="at least one *.json",
            hint="Name the directory that holds the InstrumentSpec files.",
        )
    return specs


def grid_by_data_symbol(directory: Path | None) -> dict[str, Grid]:
    """Grid of every recorded market that an instrument refers to."""
    return {
        spec.data_symbol: Grid(spec.tick_size, spec.lot_size)
        for spec in load_instruments(directory).values()
        if spec.data_symbol
    }


def _fault(path: Path, field: str, value: str, limit: str) -> TitanError:
    return TitanError(
        code="INSTRUMENT_INVALID",
        message=f"instrument file {path.name}: {field} is wrong",
        field=field,
        value=value,
        limit=limit,
        hint="Correct the file; see titan.trading.v1.InstrumentSpec.",
    )


def _check(path: Path, spec: instrument_pb2.InstrumentSpec) -> None:
    """Everything that the venue computes with must hold exactly."""
    if spec.symbol != path.stem:
        raise _fault(path, "symbol", spec.symbol, f"the file's name, {path.stem}")
    if spec.kind not in (
        instrument_pb2.CONTRACT_KIND_SPOT,
        instrument_pb2.CONTRACT_KIND_LINEAR,
        instrument_pb2.CONTRACT_KIND_INVERSE,
    ):
        raise _fault(path, "kind", str(spec.kind), "SPOT, LINEAR or INVERSE")
    grid = Grid(spec.tick_size, spec.lot_size)
    if spec.notional_nanos_per_tick_lot != grid.nanos_per_tick_lot:
        raise _fault(
            path,
            "notional_nanos_per_tick_lot",
            str(spec.notional_nanos_per_tick_lot),
            f"tick_size x lot_size x 1e9 = {grid.nanos_per_tick_lot}",
        )
    if not 1 <= spec.min_qty_lots <= spec.max_qty_lots:
        raise _fault(path, "min_qty_lots", str(spec.min_qty_lots), f"1..{spec.max_qty_lots}")
    for field, ppm in (("maker", spec.maker_fee_ppm), ("taker", spec.taker_fee_ppm)):
        if abs(ppm) > MAX_FEE_PPM:
            raise _fault(path, f"{field}_fee_ppm", str(ppm), f"-{MAX_FEE_PPM}..{MAX_FEE_PPM}")
    nanos_of(spec.min_notional, "min_notional")
