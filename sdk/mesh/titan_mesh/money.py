"""Money without floats: decimal strings on the human side, integer nanos (1e-9) inside.

Owns the exact conversion. Must never round: a number that is not exact is refused with a code.
"""

from __future__ import annotations

import re

from titan_mesh.errors import MoneyError

NANOS = 1_000_000_000
NANO_DIGITS = 9
INT64_MAX = (1 << 63) - 1
_DECIMAL = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)


def nanos_of(text: str, field: str = "amount") -> int:
    """Nanos of a plain decimal string such as "60000" or "-0.25"; exact or MoneyError."""
    match = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise MoneyError(
            "DECIMAL_INVALID",
            f"{field} is not a plain decimal",
            field,
            text,
            "-?digits[.digits], no exponent, no leading zeros",
            hint="Write money as a decimal string.",
        )
    sign, whole, fraction = match[1], match[2], match[3] or ""
    digits = fraction.rstrip("0")
    if len(digits) > NANO_DIGITS:
        raise MoneyError(
            "DECIMAL_INVALID",
            f"{field} has digits below a nano",
            field,
            text,
            f"at most {NANO_DIGITS} decimals",
        )
    nanos = int(whole) * NANOS + int(digits.ljust(NANO_DIGITS, "0"))
    if nanos > INT64_MAX:
        raise MoneyError(
            "DECIMAL_RANGE", f"{field} does not fit into 64 bits of nanos", field, text, INT64_MAX
        )
    return -nanos if sign else nanos


def decimal_of(nanos: int) -> str:
    """Shortest decimal string of nanos; the inverse of nanos_of."""
    whole, fraction = divmod(abs(nanos), NANOS)
    digits = f"{fraction:0{NANO_DIGITS}d}".rstrip("0")
    sign = "-" if nanos < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def positive_nanos_of(text: str, field: str = "amount") -> int:
    """Nanos of a decimal that must be above zero."""
    nanos = nanos_of(text, field)
    if nanos <= 0:
        raise MoneyError("DECIMAL_NOT_POSITIVE", f"{field} must be above zero", field, text, "> 0")
    return nanos
