# cython: language_level=3
"""Integer money: products in 128 bits, results in 64, held at the ends instead of wrapping.

Owns the arithmetic of ticks, lots and nanos. Must never know what is bought. No floats. A sum or
product that reaches an end exceeds every limit it is compared with: that is what it is for.
"""

from libc.stdint cimport int64_t


cdef extern from * nogil:
    """
    static inline long long titan_money(long long half_ticks, long long lots, long long nanos) {
        const long long top = 9223372036854775807LL;
        const __int128 plain = (__int128)half_ticks * lots;
        __int128 wide;
        if (__builtin_mul_overflow(plain, (__int128)nanos, &wide))
            return (plain < 0) == (nanos < 0) ? top : -top;
        wide /= 2;
        return wide > top ? top : wide < -top ? -top : (long long)wide;
    }
    static inline long long titan_sum(long long a, long long b) {
        const long long top = 9223372036854775807LL;
        long long sum;
        if (__builtin_add_overflow(a, b, &sum))
            return b > 0 ? top : -top;
        return sum;
    }
    """
    int64_t titan_money(int64_t half_ticks, int64_t lots, int64_t nanos_per_tick_lot)
    int64_t titan_sum(int64_t a, int64_t b)


cdef inline int64_t fixed_money(int64_t half_ticks, int64_t lots,
                                int64_t nanos_per_tick_lot) noexcept nogil:
    """Money of lots at half_ticks / 2, in nanos; half a nano is cut."""
    return titan_money(half_ticks, lots, nanos_per_tick_lot)


cdef inline int64_t fixed_add(int64_t a, int64_t b) noexcept nogil:
    """a + b."""
    return titan_sum(a, b)
