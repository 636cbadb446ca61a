"""Instruments as the market side needs them: specs by symbol, grids by recorded market.

Owns the way from a capture to its instrument. Must never check a specification: titan_mesh does.
"""

from __future__ import annotations

from pathlib import Path

from titan.trading.v1 import instrument_pb2
from titan_mesh import instruments

from titan_market.importers.grid import Grid

_REPOSITORY_INSTRUMENTS = Path(__file__).parents[3] / "compose" / "instruments"


def load_specs(directory: Path | None) -> dict[str, instrument_pb2.InstrumentSpec]:
    """Every specification of a directory, by default the repository's, by symbol."""
    loaded = instruments.load_instruments(directory or _REPOSITORY_INSTRUMENTS)
    return {symbol: instrument.spec for symbol, instrument in loaded.items()}


def grid_by_data_symbol(directory: Path | None) -> dict[str, Grid]:
    """Grid of every recorded market that an instrument refers to."""
    return {
        spec.data_symbol: Grid(spec.tick_size, spec.lot_size)
        for spec in load_specs(directory).values()
        if spec.data_symbol
    }
