# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""OrderBook: the compiled book for Python callers (tests, the venue's rim, the lab).

Owns the conversion of Python levels into arrays. Must never know rules of its own: every answer
comes from titan_book.book.
"""

from enum import IntEnum
from typing import NamedTuple

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from titan_book cimport book as core
from titan_book.book cimport (
    BOOK_ASK, BOOK_BID, BOOK_NO_PRICE, BOOK_OVERFLOW_DEFAULT, BOOK_WINDOW_LOG2_DEFAULT,
    BOOK_WINDOW_LOG2_MAX, BOOK_WINDOW_LOG2_MIN, CODE_OK, BookDelta, BookWalk, book_apply_delta,
    book_apply_snapshot, book_best_ticks, book_check_stale, book_clear, book_depth_lots,
    book_digest, book_free, book_imbalance_ppm, book_init, book_lots_at, book_next_ticks,
    book_set_level, book_walk,
)


cdef enum:
    MAX_SIDE_LEVELS = 16384  # levels of one side a Python caller may hand over in one update
    HEADER_WORDS = 6         # U, u, pu, update_ns, n_bids, n_asks


class BookSide(IntEnum):
    BID = BOOK_BID
    ASK = BOOK_ASK


class SequenceRule(IntEnum):
    NONE = core.RULE_NONE
    BINANCE_SPOT = core.RULE_BINANCE_SPOT
    BINANCE_USDM = core.RULE_BINANCE_USDM
    BINANCE_COINM = core.RULE_BINANCE_COINM
    BYBIT_V5 = core.RULE_BYBIT_V5
    CHAINED = core.RULE_CHAINED


class BookState(IntEnum):
    EMPTY = core.STATE_EMPTY
    SYNCING = core.STATE_SYNCING
    LIVE = core.STATE_LIVE
    GAP = core.STATE_GAP
    CROSSED = core.STATE_CROSSED
    STALE = core.STATE_STALE


class BookCode(IntEnum):
    OK = core.CODE_OK
    IGNORED = core.CODE_IGNORED
    NOT_READY = core.CODE_NOT_READY
    GAP = core.CODE_GAP
    CROSSED = core.CODE_CROSSED
    BAD_LEVEL = core.CODE_BAD_LEVEL
    NO_RULE = core.CODE_NO_RULE
    NO_MEMORY = core.CODE_NO_MEMORY


class DepthWalk(NamedTuple):
    """What taking a size would cost; integers only."""

    filled_lots: int
    worst_ticks: int
    levels: int
    vwap_micro_ticks: int
    impact_ppm: int


cdef class OrderBook:
    """The same book for tests, the venue's rim and the lab: one Python call per update."""

    def __cinit__(self, int rule, int window_log2=BOOK_WINDOW_LOG2_DEFAULT,
                  int overflow_limit=BOOK_OVERFLOW_DEFAULT):
        cdef int code = book_init(&self.book, rule, window_log2, overflow_limit)
        if code != CODE_OK:
            raise ValueError(
                f"order book refused: {BookCode(code).name} (rule {rule}, window_log2 "
                f"{window_log2} of {BOOK_WINDOW_LOG2_MIN}..{BOOK_WINDOW_LOG2_MAX}, "
                f"overflow_limit {overflow_limit} of 1..)")
        self.ticks = <int64_t *>calloc(2 * MAX_SIDE_LEVELS, sizeof(int64_t))
        self.lots = <int64_t *>calloc(2 * MAX_SIDE_LEVELS, sizeof(int64_t))
        if self.ticks == NULL or self.lots == NULL:
            raise MemoryError

    def __dealloc__(self):
        book_free(&self.book)
        free(self.ticks)
        free(self.lots)

    cdef BookDelta _delta(self, int64_t first, int64_t last, int64_t prev, int64_t update_ns,
                          bids, asks) except *:
        cdef BookDelta delta
        cdef Py_ssize_t at
        if len(bids) > MAX_SIDE_LEVELS or len(asks) > MAX_SIDE_LEVELS:
            raise ValueError(f"an update holds {max(len(bids), len(asks))} levels on one side, "
                             f"limit {MAX_SIDE_LEVELS}")
        delta.first_update_id = first
        delta.last_update_id = last
        delta.prev_update_id = prev
        delta.update_ns = update_ns
        delta.bid_ticks = self.ticks
        delta.bid_lots = self.lots
        delta.ask_ticks = self.ticks + MAX_SIDE_LEVELS
        delta.ask_lots = self.lots + MAX_SIDE_LEVELS
        delta.n_bids = <int32_t>len(bids)
        delta.n_asks = <int32_t>len(asks)
        at = 0
        for ticks, lots in bids:
            self.ticks[at] = ticks
            self.lots[at] = lots
            at += 1
        at = MAX_SIDE_LEVELS
        for ticks, lots in asks:
            self.ticks[at] = ticks
            self.lots[at] = lots
            at += 1
        return delta

    def apply_snapshot(self, int64_t last_update_id, bids, asks, int64_t update_ns=0):
        cdef BookDelta delta = self._delta(0, last_update_id, 0, update_ns, bids, asks)
        return book_apply_snapshot(&self.book, &delta)

    def apply_delta(self, int64_t first_update_id, int64_t last_update_id,
                    int64_t prev_update_id, bids, asks, int64_t update_ns=0):
        cdef BookDelta delta = self._delta(first_update_id, last_update_id, prev_update_id,
                                           update_ns, bids, asks)
        return book_apply_delta(&self.book, &delta)

    def apply_batch(self, const int64_t[::1] headers, const int64_t[::1] ticks,
                    const int64_t[::1] lots):
        """Many diffs without one Python object each; answers how many were applied.

        headers: six words a diff (U, u, pu, update_ns, n_bids, n_asks); ticks and lots: bids then
        asks of each diff, one after another.
        """
        cdef Py_ssize_t diffs = headers.shape[0] // HEADER_WORDS
        cdef Py_ssize_t at, need = 0, applied = 0
        cdef BookDelta delta
        cdef const int64_t *words
        cdef const int64_t *next_ticks
        cdef const int64_t *next_lots
        for at in range(diffs):
            if headers[at * HEADER_WORDS + 4] < 0 or headers[at * HEADER_WORDS + 5] < 0:
                raise ValueError(f"negative level count in header {at}")
            need += headers[at * HEADER_WORDS + 4] + headers[at * HEADER_WORDS + 5]
        if headers.shape[0] % HEADER_WORDS or need != ticks.shape[0] or need != lots.shape[0]:
            raise ValueError(f"headers promise {need} levels, ticks hold {ticks.shape[0]}, "
                             f"lots {lots.shape[0]}")
        if diffs == 0 or need == 0:
            return 0
        words = &headers[0]
        next_ticks = &ticks[0]
        next_lots = &lots[0]
        with nogil:
            for at in range(diffs):
                delta.first_update_id = words[0]
                delta.last_update_id = words[1]
                delta.prev_update_id = words[2]
                delta.update_ns = words[3]
                delta.n_bids = <int32_t>words[4]
                delta.n_asks = <int32_t>words[5]
                delta.bid_ticks = next_ticks
                delta.bid_lots = next_lots
                delta.ask_ticks = next_ticks + delta.n_bids
                delta.ask_lots = next_lots + delta.n_bids
                applied += book_apply_delta(&self.book, &delta) == CODE_OK
                words += HEADER_WORDS
                next_ticks += delta.n_bids + delta.n_asks
                next_lots += delta.n_bids + delta.n_asks
        return applied

    def set_level(self, int side, int64_t ticks, int64_t lots):
        if side != BOOK_BID and side != BOOK_ASK:
            raise ValueError(f"side {side} is neither {BOOK_BID} (bid) nor {BOOK_ASK} (ask)")
        return book_set_level(&self.book, side, ticks, lots)

    def clear(self):
        book_clear(&self.book)

    def check_stale(self, int64_t now_ns, int64_t stale_after_ns):
        return book_check_stale(&self.book, now_ns, stale_after_ns)

    @property
    def state(self):
        return self.book.state

    @property
    def rule(self):
        return self.book.rule

    @property
    def last_update_id(self):
        return self.book.last_update_id

    @property
    def last_update_ns(self):
        return self.book.last_update_ns

    @property
    def updates(self):
        return self.book.updates

    @property
    def gaps(self):
        return self.book.gaps

    @property
    def dropped_levels(self):
        return self.book.depth[BOOK_BID].dropped + self.book.depth[BOOK_ASK].dropped

    def best(self, int side):
        """(ticks, lots) of the touch, or None."""
        cdef int64_t ticks = book_best_ticks(&self.book, side & 1)
        if ticks == BOOK_NO_PRICE:
            return None
        return ticks, book_lots_at(&self.book, side & 1, ticks)

    def lots_at(self, int side, int64_t ticks):
        return book_lots_at(&self.book, side & 1, ticks)

    def levels(self, int side, int limit):
        """The best `limit` levels, touch first."""
        cdef int64_t ticks = book_best_ticks(&self.book, side & 1)
        answer = []
        while ticks != BOOK_NO_PRICE and len(answer) < limit:
            answer.append((ticks, book_lots_at(&self.book, side & 1, ticks)))
            ticks = book_next_ticks(&self.book, side & 1, ticks)
        return answer

    def walk(self, int side, int64_t lots, int64_t limit_ticks=0):
        """What taking `lots` from this side would cost (DepthWalk)."""
        cdef BookWalk out
        book_walk(&self.book, side & 1, lots, limit_ticks, &out)
        return DepthWalk(out.filled_lots, out.worst_ticks, out.levels, out.vwap_micro_ticks,
                         out.impact_ppm)

    def depth_lots(self, int side, int levels):
        return book_depth_lots(&self.book, side & 1, levels)

    def imbalance_ppm(self, int levels):
        return book_imbalance_ppm(&self.book, levels)

    def digest(self):
        return book_digest(&self.book)
