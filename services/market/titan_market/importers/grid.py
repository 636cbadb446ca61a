"""Exact conversion of decimal strings into ticks and lots.

Owns the grid of one instrument. Must never round: a price between two ticks is an error.
"""

from __future__ import annotations

from titan_mesh.errors import TitanError

_DECIMALS = 18  # deepest decimal place of any venue's price or size


def _units(text: str, field: str) -> int:
    """A plain decimal string in units of 10**-18."""
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit()) or len(fraction) > _DECIMALS or len(text) > 40:
        raise TitanError(
            code="DECIMAL_INVALID",
            message=f"{field} is not a plain decimal",
            field=field,
            value=text[:40],
            limit=f"digits with one dot, at most {_DECIMALS} decimals",
            hint="Compare the value with the venue's documents.",
        )
    scale: int = 10 ** (_DECIMALS - len(fraction))
    return int(digits) * scale


class Grid:
    """Price and size steps of one instrument."""

    def __init__(self, tick_size: str, lot_size: str) -> None:
        self.tick_size = tick_size
        self.lot_size = lot_size
        self._tick = self._step(tick_size, "tick_size")
        self._lot = self._step(lot_size, "lot_size")

    @staticmethod
    def _step(text: str, field: str) -> int:
        units = _units(text, field)
        if units == 0:
            raise TitanError(
                code="DECIMAL_INVALID",
                message=f"{field} must be above zero",
                field=field,
                value=text,
                limit="> 0",
                hint="Correct the instrument file.",
            )
        return units

    def price_ticks(self, text: str) -> int:
        """Ticks of a price; OFF_TICK when it lies between two."""
        ticks, rest = divmod(_units(text, "price"), self._tick)
        if rest:
            raise TitanError(
                code="OFF_TICK",
                message="price is not a multiple of the tick",
                field="price",
                value=text,
                limit=f"tick_size {self.tick_size}",
                hint="The instrument file and the capture differ; check the instrument's version.",
            )
        return ticks

    def qty_lots(self, text: str) -> tuple[int, bool]:
        """Lots of a size, and whether it was on the grid.

        Venues keep old orders after they change a lot, so a recorded size may lie between two
        lots: it is rounded down, never to 0, which would delete the level. The caller counts.
        """
        lots, rest = divmod(_units(text, "qty"), self._lot)
        if not rest:
            return lots, True
        return max(lots, 1), False
