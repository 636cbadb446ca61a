# cython: language_level=3
"""The L2 book by integer tick: table of contents.

Every function is noexcept nogil, answers a code and allocates nothing after book_init.
Prices are ticks (> 0), sizes are lots (0 deletes); 0 as a price means "none".
"""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef enum:
    BOOK_BID = 0
    BOOK_ASK = 1


cdef enum SequenceRule:
    RULE_NONE = 0
    RULE_BINANCE_SPOT = 1   # U == previous u + 1
    RULE_BINANCE_USDM = 2   # pu == previous u
    RULE_BINANCE_COINM = 3  # as USD-M
    RULE_BYBIT_V5 = 4       # u == previous u + 1; u = 1 restarts the book
    RULE_CHAINED = 5        # titan.venue.v1: prev_update_id == previous update_id


cdef enum BookState:
    STATE_EMPTY = 0     # no snapshot yet
    STATE_SYNCING = 1   # snapshot held, waiting for the diff that brackets it
    STATE_LIVE = 2
    STATE_GAP = 3       # an update is missing: only a snapshot helps
    STATE_CROSSED = 4   # bid >= ask: in sequence but not to be believed
    STATE_STALE = 5     # in sequence but older than the caller allows


cdef enum BookCode:
    CODE_OK = 0
    CODE_IGNORED = 1    # older than what the book holds
    CODE_NOT_READY = 2  # a diff before any snapshot
    CODE_GAP = 3
    CODE_CROSSED = 4
    CODE_BAD_LEVEL = 5  # price <= 0, size < 0 or out of range: the book stops (GAP)
    CODE_NO_RULE = 6
    CODE_NO_MEMORY = 7


cdef enum:
    BOOK_NO_PRICE = 0
    BOOK_MAX_TICKS = 1099511627776      # 2**40; sums over a whole side fit 64 bits
    BOOK_MAX_LOTS = 4398046511104       # 2**42
    BOOK_WINDOW_LOG2_DEFAULT = 13
    BOOK_WINDOW_LOG2_MIN = 6
    BOOK_WINDOW_LOG2_MAX = 20
    BOOK_OVERFLOW_DEFAULT = 8192


cdef struct BookLevel:
    int64_t key        # price for bids, minus price for asks: greater is better on both sides
    int64_t lots


cdef struct BookDepth:
    # One side: a flat ring of W ticks below the touch, with an occupancy bitmap, and a sorted
    # bounded array of everything further away. Every overflow key < lo <= every window key.
    int64_t *lots          # ring, index = key & (W - 1)
    uint64_t *words        # occupancy of the ring
    BookLevel *overflow    # ascending key
    int64_t lo             # lowest key the ring holds
    int64_t best           # key of the best level; meaningful when n_window > 0
    int64_t horizon        # deepest key ever dropped + 1: what lies beyond is unknown
    int64_t window         # W
    int32_t n_window
    int32_t n_overflow
    int32_t overflow_limit
    uint64_t dropped       # levels forgotten because the overflow was full


cdef struct Book:
    BookDepth depth[2]
    int64_t last_update_id
    int64_t last_update_ns     # stamp given with the last applied update
    int64_t updates            # diffs applied since init
    int64_t gaps               # times the sequence broke
    int32_t rule               # SequenceRule
    int32_t state              # BookState


cdef struct BookDelta:
    int64_t first_update_id    # U
    int64_t last_update_id     # u
    int64_t prev_update_id     # pu; ignored by rules that have none
    int64_t update_ns
    const int64_t *bid_ticks
    const int64_t *bid_lots
    const int64_t *ask_ticks
    const int64_t *ask_lots
    int32_t n_bids
    int32_t n_asks


cdef struct BookWalk:
    int64_t filled_lots
    int64_t worst_ticks        # last price touched; 0 when nothing was there
    int64_t levels
    int64_t vwap_micro_ticks   # average price in 1e-6 tick, rounded against the taker
    int64_t impact_ppm         # |vwap - touch| in 1e-6 of the touch


cdef struct BookTop:
    int64_t bid_ticks
    int64_t bid_lots
    int64_t ask_ticks
    int64_t ask_lots


# life
cdef int book_init(Book *book, int rule, int window_log2, int overflow_limit) noexcept nogil
cdef void book_free(Book *book) noexcept nogil
cdef void book_clear(Book *book) noexcept nogil

# updates: each answers a BookCode
cdef int book_apply_snapshot(Book *book, const BookDelta *snapshot) noexcept nogil
cdef int book_apply_delta(Book *book, const BookDelta *delta) noexcept nogil
cdef int book_set_level(Book *book, int side, int64_t ticks, int64_t lots) noexcept nogil
cdef int book_check_stale(Book *book, int64_t now_ns, int64_t stale_after_ns) noexcept nogil

# reads
cdef int64_t book_lots_at(const Book *book, int side, int64_t ticks) noexcept nogil
cdef int64_t book_next_ticks(const Book *book, int side, int64_t ticks) noexcept nogil
cdef int book_top(const Book *book, BookTop *top) noexcept nogil
cdef int book_walk(const Book *book, int side, int64_t lots, int64_t limit_ticks,
                   BookWalk *out) noexcept nogil
cdef int64_t book_depth_lots(const Book *book, int side, int levels) noexcept nogil
cdef int64_t book_imbalance_ppm(const Book *book, int levels) noexcept nogil
cdef uint64_t book_digest(const Book *book) noexcept nogil


cdef inline int64_t book_best_ticks(const Book *book, int side) noexcept nogil:
    """Best price of a side, 0 when it is empty."""
    cdef const BookDepth *depth = &book.depth[side]
    if depth.n_window == 0:
        return BOOK_NO_PRICE
    return depth.best if side == BOOK_BID else -depth.best


cdef inline bint book_is_live(const Book *book) noexcept nogil:
    return book.state == STATE_LIVE
