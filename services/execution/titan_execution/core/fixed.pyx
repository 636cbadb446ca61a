# cython: language_level=3
"""A window for tests on the inline arithmetic of fixed.pxd.

Owns nothing. Must never be called on the order path.
"""

from libc.stdint cimport int64_t


def money(int64_t half_ticks, int64_t lots, int64_t nanos_per_tick_lot):
    """fixed_money."""
    return fixed_money(half_ticks, lots, nanos_per_tick_lot)


def add(int64_t a, int64_t b):
    """fixed_add."""
    return fixed_add(a, b)
