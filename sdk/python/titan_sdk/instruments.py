"""Grids of instruments for authors: decimals outside, ticks and lots inside.

Owns the conversion of an author's numbers and the checks of an instrument's own limits. Nothing
is rounded silently:
rounding has named functions. Must never know a book or an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from pathlib import Path
from typing import Required, TypedDict, Unpack

from titan.trading.v1.instrument_pb2 import ContractKind
from titan_mesh import instruments
from titan_mesh.errors import InstrumentError, TitanError
from titan_mesh.money import NANOS, nanos_of

from titan_sdk.intent import DEFAULT_TTL_MS, Intent, IntentInvalid
from titan_sdk.vocabulary import OrderType, Side, TimeInForce


class Wish(TypedDict, total=False):
    """What an author says of an intent. Quantity and price: each as a decimal, or in lots and
    ticks.
    """

    qty: Decimal | str
    qty_lots: int
    price: Decimal | str
    price_ticks: int
    rule: Required[str]
    order_type: OrderType
    time_in_force: TimeInForce
    reduce_only: bool
    ttl_ms: int
    expected_edge_ppm: int
    arrival_mid_half_ticks: int
    inputs: Mapping[str, object]
    supersedes: bytes


class Instrument:
    """One instrument: grid, limits, and the making of valid intents."""

    def __init__(self, grid: instruments.Instrument) -> None:
        self._grid = grid
        self.spec = grid.spec
        self.symbol = grid.symbol
        self.tick_size = grid.tick
        self.lot_size = grid.lot
        self._min_notional_nanos = nanos_of(grid.spec.min_notional)

    def price_ticks(self, price: Decimal | str) -> int:
        """Ticks of a price; one that is off the grid raises IntentInvalid (see floor_ticks,
        ceil_ticks).
        """
        return _exact(self._grid.price_ticks, price)

    def qty_lots(self, qty: Decimal | str) -> int:
        """Lots of a quantity; one that is off the grid raises IntentInvalid."""
        return _exact(self._grid.qty_lots, qty)

    def floor_ticks(self, price: Decimal | str) -> int:
        """Ticks of the nearest price on the grid at or below."""
        return _steps(price, self.tick_size, ROUND_FLOOR)

    def ceil_ticks(self, price: Decimal | str) -> int:
        """Ticks of the nearest price on the grid at or above."""
        return _steps(price, self.tick_size, ROUND_CEILING)

    def price(self, ticks: int) -> Decimal:
        """Decimal price of ticks."""
        return self._grid.price(ticks)

    def qty(self, lots: int) -> Decimal:
        """Decimal quantity of lots."""
        return self._grid.qty(lots)

    def notional_nanos(self, price_ticks: int, qty_lots: int) -> int:
        """Money of an order in 1e-9 of the settlement currency."""
        return self._grid.notional_nanos(price_ticks, qty_lots)

    def intent(self, side: Side, **wish: Unpack[Wish]) -> Intent:
        """A valid intent, or IntentInvalid naming field, value and limit."""
        qty_lots = self._one_of("qty", wish.get("qty"), wish.get("qty_lots"), self.qty_lots)
        price_ticks = self._one_of(
            "price", wish.get("price"), wish.get("price_ticks"), self.price_ticks
        )
        reduce_only = wish.get("reduce_only", False)
        self._check_limits(qty_lots, price_ticks, reduce_only=reduce_only)
        return Intent(
            symbol=self.symbol,
            instrument_version=self.spec.version,
            side=side,
            qty_lots=qty_lots,
            price_ticks=price_ticks,
            order_type=wish.get("order_type", OrderType.LIMIT),
            time_in_force=wish.get("time_in_force", TimeInForce.IOC),
            reduce_only=reduce_only,
            ttl_ms=wish.get("ttl_ms", DEFAULT_TTL_MS),
            arrival_mid_half_ticks=wish.get("arrival_mid_half_ticks", 0),
            expected_edge_ppm=wish.get("expected_edge_ppm", 0),
            rule=wish["rule"],
            inputs=tuple((name, str(value)) for name, value in wish.get("inputs", {}).items()),
            supersedes=wish.get("supersedes", b""),
        )

    def _one_of(
        self,
        name: str,
        decimal: Decimal | str | None,
        units: int | None,
        convert: Callable[[Decimal | str], int],
    ) -> int:
        if (decimal is None) == (units is None):
            unit = "qty_lots" if name == "qty" else "price_ticks"
            raise IntentInvalid(
                code="AMBIGUOUS",
                message=f"give {name} or {unit}: one of them",
                field=name,
                value=f"{decimal}, {units}",
                limit="exactly one",
                hint=f"Use {name} for decimals and {unit} for integers on the grid.",
            )
        if decimal is not None:
            return convert(decimal)
        assert units is not None
        return units

    def _check_limits(self, qty_lots: int, price_ticks: int, *, reduce_only: bool) -> None:
        spec = self.spec
        if not spec.min_qty_lots <= qty_lots <= spec.max_qty_lots:
            raise IntentInvalid(
                code="QTY_LIMIT",
                message=f"{self.symbol}: quantity outside of the instrument's limits",
                field="qty_lots",
                value=str(qty_lots),
                limit=f"{spec.min_qty_lots} to {spec.max_qty_lots}",
                hint="Split or resize the order.",
            )
        notional = self.notional_nanos(price_ticks, qty_lots)
        if not reduce_only and notional < self._min_notional_nanos:
            raise IntentInvalid(
                code="NOTIONAL_LIMIT",
                message=f"{self.symbol}: notional below the venue's minimum",
                field="notional",
                value=str(Decimal(notional) / NANOS),
                limit=spec.min_notional,
                hint="Take more lots.",
            )


class Instruments:
    """The instruments of one venue, by symbol."""

    def __init__(self, grids: Iterable[instruments.Instrument]) -> None:
        self._by_symbol = {
            grid.symbol: Instrument(grid)
            for grid in grids
            if grid.spec.kind != ContractKind.CONTRACT_KIND_INVERSE
        }

    @classmethod
    def load(cls, directory: Path) -> Instruments:
        """The instruments of a directory of InstrumentSpec files."""
        return cls(instruments.load_instruments(directory).values())

    def get(self, symbol: str) -> Instrument:
        """The instrument; SYMBOL_UNKNOWN names those there are."""
        found = self._by_symbol.get(symbol)
        if found is None:
            raise TitanError(
                code="SYMBOL_UNKNOWN",
                message=f"no tradable instrument {symbol}",
                field="symbol",
                value=symbol,
                limit=", ".join(sorted(self._by_symbol)),
                hint="Instruments are the files of $TITAN_HOME/instruments.",
            )
        return found


def _exact(convert: Callable[[Decimal | str], int], value: Decimal | str) -> int:
    try:
        return convert(value)
    except InstrumentError as fault:
        raise IntentInvalid(
            code=fault.code,
            message=fault.message,
            field=fault.field,
            value=fault.value,
            limit=fault.limit,
            hint=fault.hint,
        ) from None


def _steps(value: Decimal | str, step: Decimal, rounding: str) -> int:
    try:
        steps = Decimal(value) / step if isinstance(value, str) else value / step
        return int(steps.to_integral_value(rounding))
    except (InvalidOperation, AttributeError):
        raise IntentInvalid(
            code="DECIMAL_INVALID",
            message="price is no decimal number",
            field="price",
            value=repr(value),
            limit="Decimal or decimal string",
        ) from None
