# cython: language_level=3
"""Matching of own orders against a fed book: table of contents."""

from libc.stdint cimport int64_t

from titan_book.book cimport Book, BookDelta


cdef enum:
    MAX_RESTING = 4096        # resting orders of one symbol
    MAX_FILLS = 8192          # fills of one call: all resting orders, or levels of one taker
    MAX_EVENT_LEVELS = 16384  # levels of one side of one market event


cdef struct Resting:
    int64_t handle   # the caller's name of the order
    int64_t ticks
    int64_t leaves
    int64_t ahead    # displayed lots that were there before us and must trade first
    int side


cdef struct Fill:
    int64_t handle   # 0 for the taker
    int64_t lots
    int64_t ticks


cdef class Market:
    cdef Book book
    cdef Resting *resting
    cdef Fill *fills
    cdef int64_t *ticks
    cdef int64_t *lots
    cdef int n_resting
    cdef int n_fills
    cdef void _fill(self, int64_t handle, int64_t lots, int64_t ticks) noexcept nogil
    cdef void _fill_crossed(self) noexcept nogil
    cdef void _fill_by_trade(self, int64_t ticks, int64_t lots, bint seller) noexcept nogil
    cdef void _drop_filled(self) noexcept nogil
    cdef void _shrink_queues(self) noexcept nogil
    cdef list _answer(self)
    cdef int _load(self, bid_ticks, bid_lots, ask_ticks, ask_lots, BookDelta *delta) except -1
