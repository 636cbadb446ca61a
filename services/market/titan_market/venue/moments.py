"""One reading of the two clocks: what every verb of the venue is given instead of a clock.

Owns the pair. Must never read a clock.
"""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """The same instant for people (UNIX) and for everything that expires (BOOTTIME)."""

    unix_ns: int
    boottime_ns: int
