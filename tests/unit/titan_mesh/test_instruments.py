"""Instrument files: the grid must be exact, and numbers must be on it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from titan_mesh.errors import InstrumentError
from titan_mesh.instruments import load_instrument, load_instruments

INSTRUMENTS = Path(__file__).parents[3] / "compose" / "instruments"


@pytest.fixture
def btc():
    return load_instrument(INSTRUMENTS / "BTCUSDT.json")


def changed(folder, **fields):
    path = folder / "BTCUSDT.json"
    document = json.loads((INSTRUMENTS / "BTCUSDT.json").read_text())
    path.write_text(json.dumps({**document, **fields}))
    return path


def test_every_instrument_of_the_repository_loads():
    assert {"BTCUSDT", "ETHUSDT"} <= set(load_instruments(INSTRUMENTS))


def test_decimals_and_units(btc):
    assert btc.price_ticks("60000.10") == 600_001
    assert btc.price(600_001) == Decimal("60000.10")
    assert btc.qty_lots(Decimal("0.010")) == 10
    assert btc.qty(10) == Decimal("0.010")
    assert btc.notional_nanos(600_001, 10) == 600_001_000_000


@pytest.mark.parametrize(
    ("call", "value", "code"),
    [
        ("price_ticks", "60000.05", "OFF_TICK"),
        ("qty_lots", "0.0005", "OFF_LOT"),
        ("price_ticks", 0.1, "DECIMAL_INVALID"),
        ("price_ticks", "many", "DECIMAL_INVALID"),
        ("qty_lots", Decimal("Infinity"), "DECIMAL_INVALID"),
    ],
)
def test_a_number_off_the_grid_is_refused(btc, call, value, code):
    with pytest.raises(InstrumentError) as refused:
        getattr(btc, call)(value)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tick_size", "0.000000001"),
        ("tick_size", "0"),
        ("lot_size", "abc"),
        ("notional_nanos_per_tick_lot", "100001"),
        ("min_qty_lots", "2000000"),
        ("maker_fee_ppm", 20_000),
        ("min_notional", "-1"),
        ("symbol", "OTHER"),
        ("venue", "paper venue"),
    ],
)
def test_a_file_whose_grid_does_not_hold_is_refused(tmp_path, field, value):
    with pytest.raises(InstrumentError) as refused:
        load_instrument(changed(tmp_path, **{field: value}))
    assert refused.value.code == "INSTRUMENT_INVALID"
    assert refused.value.field == field
    assert "BTCUSDT.json" in refused.value.message


def test_an_unknown_field_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(InstrumentError) as missing:
        load_instruments(tmp_path)
    assert missing.value.code == "INSTRUMENTS_MISSING"
    with pytest.raises(InstrumentError) as unknown:
        load_instrument(changed(tmp_path, ticksize="1"))
    assert "ticksize" in unknown.value.value
