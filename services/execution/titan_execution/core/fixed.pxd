# cython: language_level=3
"""Integer money: products in 128 bits, results in 64, overflow said by a code.

Owns the arithmetic of ticks, lots, nanos and basis points. Must never know what is bought. No floats.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t


cdef extern from *:
    """
    typedef __int128 titan_int128;
    """
    ctypedef long long int128 "titan_int128"


cdef enum FixedCode:
    FIXED_OK = 0
    FIXED_OVERFLOW = -1
    FIXED_DIVISION = -2


cdef inline int fixed_narrow(int128 wide, int64_t *out) noexcept nogil:
    """Takes a 128-bit result into 64 bits, or says that it does not fit."""
    if wide > INT64_MAX or wide < INT64_MIN:
        return FIXED_OVERFLOW
    out[0] = <int64_t>wide
    return FIXED_OK


cdef inline int fixed_add(int64_t a, int64_t b, int64_t *out) noexcept nogil:
    return fixed_narrow(<int128>a + b, out)


cdef inline int fixed_sub(int64_t a, int64_t b, int64_t *out) noexcept nogil:
    return fixed_narrow(<int128>a - b, out)


cdef inline int fixed_mul(int64_t a, int64_t b, int64_t *out) noexcept nogil:
    return fixed_narrow(<int128>a * b, out)


cdef inline int fixed_notional(int64_t price_ticks, int64_t qty_lots, int64_t nanos_per_tick_lot,
                               int64_t *out) noexcept nogil:
    """price_ticks * qty_lots * nanos_per_tick_lot; the inner product is bounded first, so 128 bits do."""
    cdef int64_t tick_lots = 0
    if fixed_mul(price_ticks, qty_lots, &tick_lots) != FIXED_OK:
        return FIXED_OVERFLOW
    return fixed_mul(tick_lots, nanos_per_tick_lot, out)


cdef inline int fixed_scale_up(int64_t value, int64_t numerator, int64_t denominator,
                               int64_t *out) noexcept nogil:
    """value * numerator / denominator, rounded towards +infinity. denominator > 0."""
    cdef int128 wide, quotient
    if denominator <= 0:
        return FIXED_DIVISION
    wide = <int128>value * numerator
    quotient = wide // denominator if wide >= 0 else -((-wide) // denominator)
    if wide > 0 and quotient * denominator != wide:
        quotient += 1
    return fixed_narrow(quotient, out)


cdef inline int fixed_scale_down(int64_t value, int64_t numerator, int64_t denominator,
                                 int64_t *out) noexcept nogil:
    """value * numerator / denominator, rounded towards -infinity. denominator > 0."""
    cdef int128 wide, quotient
    if denominator <= 0:
        return FIXED_DIVISION
    wide = <int128>value * numerator
    quotient = wide // denominator if wide >= 0 else -((-wide) // denominator)
    if wide < 0 and quotient * denominator != wide:
        quotient -= 1
    return fixed_narrow(quotient, out)


cdef inline int fixed_bps_up(int64_t value, int64_t bps, int64_t *out) noexcept nogil:
    """bps ten-thousandths of value, rounded up: fees and required margins never round in our favour."""
    return fixed_scale_up(value, bps, 10000, out)


cdef inline int fixed_ppm_up(int64_t value, int64_t ppm, int64_t *out) noexcept nogil:
    """ppm millionths of value, rounded up."""
    return fixed_scale_up(value, ppm, 1000000, out)


cdef inline int64_t fixed_add_saturated(int64_t a, int64_t b) noexcept nogil:
    """a + b, held at the ends of int64: for sums whose only use is to exceed a limit."""
    cdef int64_t out = 0
    if fixed_add(a, b, &out) == FIXED_OK:
        return out
    return INT64_MAX if b > 0 else INT64_MIN


cdef inline int64_t fixed_mul_saturated(int64_t a, int64_t b) noexcept nogil:
    """a * b, held at the ends of int64."""
    cdef int64_t out = 0
    if fixed_mul(a, b, &out) == FIXED_OK:
        return out
    return INT64_MAX if (a > 0) == (b > 0) else INT64_MIN
