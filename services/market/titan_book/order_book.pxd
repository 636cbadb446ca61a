# cython: language_level=3
"""OrderBook as an extension type, so that compiled callers can reach the struct inside."""

from libc.stdint cimport int64_t

from titan_book.book cimport Book, BookDelta


cdef class OrderBook:
    # Window for Python; cdef users reach .book directly.
    cdef Book book
    cdef int64_t *ticks
    cdef int64_t *lots
    cdef BookDelta _delta(self, int64_t first, int64_t last, int64_t prev, int64_t update_ns,
                          bids, asks) except *
