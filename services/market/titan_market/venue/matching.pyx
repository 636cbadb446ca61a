# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Matching of own orders against the book that a feed supplies.

Owns what fills, how much and at what price. Must never know accounts, fees, ids or a clock.

Fill model: a taker consumes displayed lots at their prices, and they stay consumed until the feed
changes the level. A resting order waits behind the lots displayed at its price on arrival; trades
at the price shorten that queue, and so does a level that shrinks below it. It fills at its own
price by what trades beyond the queue, by trades through its price, and by a book that crosses it.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from titan_book.book cimport (
    BOOK_ASK, BOOK_BID, BOOK_MAX_LOTS, BOOK_NO_PRICE, BOOK_OVERFLOW_DEFAULT, BOOK_WINDOW_LOG2_DEFAULT, CODE_OK,
    RULE_CHAINED, STATE_LIVE, BookDelta, BookTop, BookWalk, book_apply_delta,
    book_apply_snapshot, book_best_ticks, book_free, book_init, book_lots_at, book_next_ticks,
    book_set_level, book_top, book_walk,
)


cdef class Market:
    """One symbol: its book and the orders that rest in it."""

    def __cinit__(self):
        if book_init(&self.book, RULE_CHAINED, BOOK_WINDOW_LOG2_DEFAULT,
                     BOOK_OVERFLOW_DEFAULT) != CODE_OK:
            raise MemoryError
        self.resting = <Resting *>calloc(MAX_RESTING, sizeof(Resting))
        self.fills = <Fill *>calloc(MAX_FILLS, sizeof(Fill))
        self.ticks = <int64_t *>calloc(2 * MAX_EVENT_LEVELS, sizeof(int64_t))
        self.lots = <int64_t *>calloc(2 * MAX_EVENT_LEVELS, sizeof(int64_t))
        if (self.resting == NULL or self.fills == NULL or self.ticks == NULL
                or self.lots == NULL):
            raise MemoryError

    def __dealloc__(self):
        book_free(&self.book)
        free(self.resting)
        free(self.fills)
        free(self.ticks)
        free(self.lots)

    # ---- what the market does ------------------------------------------------------------------

    def on_snapshot(self, int64_t update_id, bid_ticks, bid_lots, ask_ticks, ask_lots,
                    int64_t update_ns):
        """(BookCode, fills): the book is replaced; queues behind it restart at what is shown."""
        cdef BookDelta delta
        cdef int code
        self._load(bid_ticks, bid_lots, ask_ticks, ask_lots, &delta)
        delta.first_update_id = 0
        delta.prev_update_id = 0
        delta.last_update_id = update_id
        delta.update_ns = update_ns
        with nogil:
            code = book_apply_snapshot(&self.book, &delta)
            if self.book.state == STATE_LIVE:
                self._shrink_queues()
                self._fill_crossed()
        return code, self._answer()

    def on_delta(self, int64_t prev_update_id, int64_t update_id, bid_ticks, bid_lots, ask_ticks,
                 ask_lots, int64_t update_ns):
        """(BookCode, fills)."""
        cdef BookDelta delta
        cdef int code
        self._load(bid_ticks, bid_lots, ask_ticks, ask_lots, &delta)
        delta.first_update_id = prev_update_id
        delta.prev_update_id = prev_update_id
        delta.last_update_id = update_id
        delta.update_ns = update_ns
        with nogil:
            code = book_apply_delta(&self.book, &delta)
            if code == CODE_OK:
                self._shrink_queues()
                self._fill_crossed()
        return code, self._answer()

    def on_trade(self, int64_t ticks, int64_t lots, bint seller_is_taker):
        """Fills that a public trade implies."""
        if ticks > 0 and lots > 0:
            with nogil:
                self._fill_by_trade(ticks, lots, seller_is_taker)
        return self._answer()

    # ---- what own orders do --------------------------------------------------------------------

    def take(self, bint buy, int64_t lots, int64_t limit_ticks):
        """Takes displayed lots up to the limit; answers (lots, ticks) a level, best first."""
        cdef int side = BOOK_ASK if buy else BOOK_BID
        cdef BookWalk walk
        cdef int64_t ticks, here
        book_walk(&self.book, side, lots, limit_ticks, &walk)
        answer = []
        while walk.filled_lots > 0 and len(answer) < MAX_FILLS:
            ticks = book_best_ticks(&self.book, side)
            here = book_lots_at(&self.book, side, ticks)
            if here > walk.filled_lots:
                book_set_level(&self.book, side, ticks, here - walk.filled_lots)
                here = walk.filled_lots
            else:
                book_set_level(&self.book, side, ticks, 0)
            walk.filled_lots -= here
            answer.append((here, ticks))
        return answer

    def would_take(self, bint buy, int64_t limit_ticks):
        """True when an order at the limit would meet displayed lots at once."""
        cdef int64_t touch = book_best_ticks(&self.book, BOOK_ASK if buy else BOOK_BID)
        if touch == BOOK_NO_PRICE:
            return False
        return limit_ticks >= touch if buy else limit_ticks <= touch

    def could_fill(self, bint buy, int64_t lots, int64_t limit_ticks):
        """True when the displayed lots up to the limit cover the size."""
        cdef BookWalk walk
        return book_walk(&self.book, BOOK_ASK if buy else BOOK_BID, lots, limit_ticks,
                         &walk) == CODE_OK

    def rest(self, int64_t handle, bint buy, int64_t ticks, int64_t lots):
        """Rests behind what is displayed; False when the table is full."""
        cdef Resting *order
        if self.n_resting == MAX_RESTING or lots <= 0:
            return False
        order = &self.resting[self.n_resting]
        order.handle = handle
        order.side = BOOK_BID if buy else BOOK_ASK
        order.ticks = ticks
        order.leaves = lots
        # Without a book the queue is unknown: the next snapshot cuts it to what is shown.
        order.ahead = (book_lots_at(&self.book, order.side, ticks)
                       if self.book.state == STATE_LIVE else BOOK_MAX_LOTS)
        self.n_resting += 1
        return True

    def cancel(self, int64_t handle):
        """Lots that were still open; 0 when the order does not rest."""
        cdef int at
        cdef int64_t leaves
        for at in range(self.n_resting):
            if self.resting[at].handle == handle:
                leaves = self.resting[at].leaves
                self.resting[at].leaves = 0
                self._drop_filled()
                return leaves
        return 0

    # ---- reads ---------------------------------------------------------------------------------

    @property
    def live(self):
        return self.book.state == STATE_LIVE

    @property
    def state(self):
        return self.book.state

    @property
    def update_id(self):
        return self.book.last_update_id

    @property
    def update_ns(self):
        return self.book.last_update_ns

    @property
    def resting_count(self):
        return self.n_resting

    def touch(self):
        """(bid_ticks, bid_lots, ask_ticks, ask_lots); 0 where a side is empty."""
        cdef BookTop top
        book_top(&self.book, &top)
        return top.bid_ticks, top.bid_lots, top.ask_ticks, top.ask_lots

    def queue_ahead(self, int64_t handle):
        """Displayed lots that must trade before the order; -1 when it does not rest."""
        cdef int at
        for at in range(self.n_resting):
            if self.resting[at].handle == handle:
                return self.resting[at].ahead
        return -1

    def depth(self, bint bids, int limit):
        """(ticks, lots) columns of the best levels."""
        cdef int side = BOOK_BID if bids else BOOK_ASK
        cdef int64_t ticks = book_best_ticks(&self.book, side)
        prices, sizes = [], []
        while ticks != BOOK_NO_PRICE and len(prices) < limit:
            prices.append(ticks)
            sizes.append(book_lots_at(&self.book, side, ticks))
            ticks = book_next_ticks(&self.book, side, ticks)
        return prices, sizes

    # ---- inside --------------------------------------------------------------------------------

    cdef int _load(self, bid_ticks, bid_lots, ask_ticks, ask_lots, BookDelta *delta) except -1:
        cdef Py_ssize_t n_bids = len(bid_ticks)
        cdef Py_ssize_t n_asks = len(ask_ticks)
        cdef Py_ssize_t at = 0
        if n_bids != len(bid_lots) or n_asks != len(ask_lots):
            raise ValueError(f"prices and sizes differ in number: bids {n_bids}/{len(bid_lots)}, "
                             f"asks {n_asks}/{len(ask_lots)}")
        if n_bids > MAX_EVENT_LEVELS or n_asks > MAX_EVENT_LEVELS:
            raise ValueError(f"{max(n_bids, n_asks)} levels on one side, "
                             f"limit {MAX_EVENT_LEVELS}")
        for at, value in enumerate(bid_ticks):
            self.ticks[at] = value
        for at, value in enumerate(bid_lots):
            self.lots[at] = value
        for at, value in enumerate(ask_ticks):
            self.ticks[MAX_EVENT_LEVELS + at] = value
        for at, value in enumerate(ask_lots):
            self.lots[MAX_EVENT_LEVELS + at] = value
        delta.bid_ticks = self.ticks
        delta.bid_lots = self.lots
        delta.ask_ticks = self.ticks + MAX_EVENT_LEVELS
        delta.ask_lots = self.lots + MAX_EVENT_LEVELS
        delta.n_bids = <int32_t>n_bids
        delta.n_asks = <int32_t>n_asks
        return 0

    cdef list _answer(self):
        cdef int at
        cdef list answer = [(self.fills[at].handle, self.fills[at].lots, self.fills[at].ticks)
                            for at in range(self.n_fills)]
        self.n_fills = 0
        return answer

    cdef void _fill(self, int64_t handle, int64_t lots, int64_t ticks) noexcept nogil:
        # At most one fill an order and call, so MAX_FILLS >= MAX_RESTING never overflows.
        self.fills[self.n_fills].handle = handle
        self.fills[self.n_fills].lots = lots
        self.fills[self.n_fills].ticks = ticks
        self.n_fills += 1

    cdef void _drop_filled(self) noexcept nogil:
        cdef int kept = 0
        cdef int at
        for at in range(self.n_resting):
            if self.resting[at].leaves > 0:
                if kept != at:
                    self.resting[kept] = self.resting[at]
                kept += 1
        self.n_resting = kept

    cdef void _shrink_queues(self) noexcept nogil:
        """Cancels ahead of us are only believed when the level is smaller than our queue."""
        cdef int at
        cdef int64_t shown
        for at in range(self.n_resting):
            if self.resting[at].ahead > 0:
                shown = book_lots_at(&self.book, self.resting[at].side, self.resting[at].ticks)
                if shown < self.resting[at].ahead:
                    self.resting[at].ahead = shown

    cdef void _fill_crossed(self) noexcept nogil:
        """The other side is shown at or through our price: it would have met us first."""
        cdef Resting *order
        cdef int at, other
        cdef int64_t touch, here, taken
        cdef bint any_filled = False
        for at in range(self.n_resting):
            order = &self.resting[at]
            other = BOOK_ASK if order.side == BOOK_BID else BOOK_BID
            taken = 0
            while taken < order.leaves:
                touch = book_best_ticks(&self.book, other)
                if touch == BOOK_NO_PRICE or (
                        touch > order.ticks if other == BOOK_ASK else touch < order.ticks):
                    break
                here = book_lots_at(&self.book, other, touch)
                if here > order.leaves - taken:
                    book_set_level(&self.book, other, touch, here - (order.leaves - taken))
                    here = order.leaves - taken
                else:
                    book_set_level(&self.book, other, touch, 0)
                taken += here
            if taken > 0:
                order.leaves -= taken
                self._fill(order.handle, taken, order.ticks)
                any_filled = True
        if any_filled:
            self._drop_filled()

    cdef void _fill_by_trade(self, int64_t ticks, int64_t lots, bint seller) noexcept nogil:
        """Oldest order first; one trade's lots are given out once."""
        cdef Resting *order
        cdef int at
        cdef int side = BOOK_BID if seller else BOOK_ASK
        cdef int64_t given = 0
        cdef int64_t beyond, part
        for at in range(self.n_resting):
            order = &self.resting[at]
            if order.side != side:
                continue
            if ticks == order.ticks:
                beyond = lots - order.ahead
                order.ahead = 0 if beyond >= 0 else -beyond
            elif (ticks < order.ticks) if seller else (ticks > order.ticks):
                order.ahead = 0  # it traded through: everything at our price is gone
                beyond = lots
            else:
                continue
            part = beyond - given
            if part > order.leaves:
                part = order.leaves
            if part > 0:
                given += part
                order.leaves -= part
                self._fill(order.handle, part, order.ticks)
        if given > 0:
            self._drop_filled()
