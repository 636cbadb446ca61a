"""Instrument specifications from files, and the grid of prices and sizes.

Owns loading, the proof that the grid is exact, and the conversion between decimals and ticks or
lots. Must never know policy: what may be traded is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from google.protobuf import json_format
from titan.trading.v1.instrument_pb2 import InstrumentSpec

from titan_mesh import canonical_json, rules
from titan_mesh.errors import InstrumentError, MoneyError, TitanError
from titan_mesh.money import NANOS, nanos_of, positive_nanos_of

MAX_INSTRUMENTS = 64


@dataclass(frozen=True, slots=True)
class Instrument:
    """One specification with its steps as exact decimals."""

    spec: InstrumentSpec
    tick: Decimal
    lot: Decimal

    @property
    def symbol(self) -> str:
        """Symbol, unique in the venue."""
        return self.spec.symbol

    def price_ticks(self, price: Decimal | str) -> int:
        """Ticks of a price that is on the grid."""
        return _steps(price, self.tick, "price", "OFF_TICK")

    def qty_lots(self, qty: Decimal | str) -> int:
        """Lots of a quantity that is on the grid."""
        return _steps(qty, self.lot, "qty", "OFF_LOT")

    def price(self, ticks: int) -> Decimal:
        """Price of ticks."""
        return self.tick * ticks

    def qty(self, lots: int) -> Decimal:
        """Quantity of lots."""
        return self.lot * lots

    def notional_nanos(self, price_ticks: int, qty_lots: int) -> int:
        """Money of a price times a size, nanos of the settlement currency."""
        return price_ticks * qty_lots * self.spec.notional_nanos_per_tick_lot


def load_instruments(directory: Path) -> dict[str, Instrument]:
    """Every `*.json` of a directory by symbol; one bad file refuses them all."""
    paths = sorted(directory.glob("*.json"))
    if not 0 < len(paths) <= MAX_INSTRUMENTS:
        raise InstrumentError(
            "INSTRUMENTS_MISSING" if not paths else "INSTRUMENTS_TOO_MANY",
            f"{directory} holds {len(paths)} instrument files",
            "mesh.instruments",
            directory,
            f"1 to {MAX_INSTRUMENTS} *.json files",
            hint="Name the directory that holds the InstrumentSpec files.",
        )
    instruments = [load_instrument(path) for path in paths]
    return {instrument.symbol: instrument for instrument in instruments}


def load_instrument(path: Path) -> Instrument:
    """The instrument of one file, checked whole."""
    spec = InstrumentSpec()
    try:
        document = canonical_json.parse(path.read_bytes())
        if not isinstance(document, dict):
            raise _fault(path, "$", type(document).__name__, "object")
        json_format.ParseDict(document, spec)
    except TitanError as fault:
        raise _fault(path, "$", fault.value, fault.limit) from None
    except (OSError, json_format.ParseError) as fault:
        raise _fault(path, "$", str(fault), "readable proto3 JSON of InstrumentSpec") from None
    if spec.symbol != path.stem:
        raise _fault(path, "symbol", spec.symbol, f"the file's name, {path.stem}")
    try:
        return instrument_of(spec)
    except InstrumentError as fault:
        raise _fault(path, fault.field, fault.value, fault.limit) from None


def instrument_of(spec: InstrumentSpec) -> Instrument:
    """An instrument whose rules hold and whose grid is exact."""
    broken = next(iter(rules.violations(spec)), None)
    if broken is not None:
        raise _invalid(spec.symbol, broken.field, broken.value, broken.limit)
    try:
        product = positive_nanos_of(spec.tick_size, "tick_size") * positive_nanos_of(
            spec.lot_size, "lot_size"
        )
        if nanos_of(spec.min_notional, "min_notional") < 0:
            raise _invalid(spec.symbol, "min_notional", spec.min_notional, "at least 0")
    except MoneyError as fault:
        raise _invalid(spec.symbol, fault.field, fault.value, fault.limit) from None
    if product % NANOS:
        raise _invalid(
            spec.symbol,
            "tick_size",
            f"{spec.tick_size} x {spec.lot_size}",
            "tick x lot a whole number of nanos",
        )
    if spec.notional_nanos_per_tick_lot != product // NANOS:
        raise _invalid(
            spec.symbol,
            "notional_nanos_per_tick_lot",
            str(spec.notional_nanos_per_tick_lot),
            f"tick_size x lot_size x 1e9 = {product // NANOS}",
        )
    if spec.min_qty_lots > spec.max_qty_lots:
        raise _invalid(
            spec.symbol, "min_qty_lots", str(spec.min_qty_lots), f"at most {spec.max_qty_lots}"
        )
    return Instrument(spec, Decimal(spec.tick_size), Decimal(spec.lot_size))


def _steps(value: Decimal | str, step: Decimal, field: str, code: str) -> int:
    try:
        number = Decimal(value) if isinstance(value, str) else value
        if not isinstance(number, Decimal) or not number.is_finite():
            raise InvalidOperation
        steps = number / step
        whole = int(steps)
        exact = whole * step == number
    except InvalidOperation:
        raise InstrumentError(
            "DECIMAL_INVALID",
            f"{field} is no decimal number",
            field,
            repr(value),
            "Decimal or decimal string",
        ) from None
    if not exact:
        raise InstrumentError(
            code,
            f"{field} is off the grid",
            field,
            number,
            f"multiples of {step}",
            hint="Round where you mean to.",
        )
    return whole


def _invalid(symbol: str, field: str, value: str, limit: str) -> InstrumentError:
    return InstrumentError(
        "INSTRUMENT_INVALID",
        f"instrument {symbol or '?'}: {field} is wrong",
        field,
        value,
        limit,
        hint="Correct the file.",
    )


def _fault(path: Path, field: str, value: str, limit: str) -> InstrumentError:
    return InstrumentError(
        "INSTRUMENT_INVALID",
        f"instrument file {path.name}: {field} is wrong",
        field,
        value,
        limit,
        hint="Correct the file; see titan.trading.v1.InstrumentSpec.",
    )
