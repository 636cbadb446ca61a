# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=True
"""The L2 book by integer tick: a flat window near the touch, a sorted bounded rest.

Owns depth, the venues' update-id rules and the health of a book. Must never know orders,
accounts, sockets or a clock: every stamp is an argument.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove, memset


cdef extern from *:
    """
    typedef __int128 titan_i128;
    static inline int titan_high_bit(unsigned long long word) {
        return 63 - __builtin_clzll(word);
    }
    static inline int titan_low_bit(unsigned long long word) {
        return __builtin_ctzll(word);
    }
    /* quotient rounded up, denominator > 0 */
    static inline long long titan_ceil_div(titan_i128 value, long long by) {
        titan_i128 q = value / by;
        return (long long)(q + ((value % by) > 0));
    }
    static inline long long titan_floor_div(titan_i128 value, long long by) {
        titan_i128 q = value / by;
        return (long long)(q - ((value % by) < 0));
    }
    """
    ctypedef long long titan_i128
    int titan_high_bit(uint64_t word) noexcept nogil
    int titan_low_bit(uint64_t word) noexcept nogil
    int64_t titan_ceil_div(titan_i128 value, int64_t by) noexcept nogil
    int64_t titan_floor_div(titan_i128 value, int64_t by) noexcept nogil


# ---- one side ---------------------------------------------------------------------------------

cdef inline int64_t _headroom(const BookDepth *depth) noexcept nogil:
    """Ticks kept free above the touch when the window is placed."""
    return depth.window >> 2


cdef int _overflow_find(const BookDepth *depth, int64_t key) noexcept nogil:
    """Index of the first overflow level with a key >= key."""
    cdef int low = 0
    cdef int high = depth.n_overflow
    cdef int middle
    while low < high:
        middle = (low + high) >> 1
        if depth.overflow[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return low


cdef void _overflow_set(BookDepth *depth, int64_t key, int64_t lots) noexcept nogil:
    cdef int at = _overflow_find(depth, key)
    cdef bint found = at < depth.n_overflow and depth.overflow[at].key == key
    if found and lots > 0:
        depth.overflow[at].lots = lots
        return
    if found:
        memmove(&depth.overflow[at], &depth.overflow[at + 1],
                (depth.n_overflow - at - 1) * sizeof(BookLevel))
        depth.n_overflow -= 1
        return
    if lots == 0:
        return
    if depth.n_overflow == depth.overflow_limit:
        # Full: the level furthest from the touch is forgotten, and the horizon says so.
        depth.dropped += 1
        if at == 0:
            if key + 1 > depth.horizon:
                depth.horizon = key + 1
            return
        if depth.overflow[0].key + 1 > depth.horizon:
            depth.horizon = depth.overflow[0].key + 1
        memmove(&depth.overflow[0], &depth.overflow[1], (at - 1) * sizeof(BookLevel))
        depth.overflow[at - 1].key = key
        depth.overflow[at - 1].lots = lots
        return
    memmove(&depth.overflow[at + 1], &depth.overflow[at],
            (depth.n_overflow - at) * sizeof(BookLevel))
    depth.overflow[at].key = key
    depth.overflow[at].lots = lots
    depth.n_overflow += 1


cdef inline void _ring_put(BookDepth *depth, int64_t key, int64_t lots) noexcept nogil:
    cdef int64_t index = key & (depth.window - 1)
    depth.lots[index] = lots
    depth.words[index >> 6] |= (<uint64_t>1) << (index & 63)
    depth.n_window += 1


cdef inline void _ring_take(BookDepth *depth, int64_t key) noexcept nogil:
    cdef int64_t index = key & (depth.window - 1)
    depth.lots[index] = 0
    depth.words[index >> 6] &= ~((<uint64_t>1) << (index & 63))
    depth.n_window -= 1


cdef int64_t _ring_below(const BookDepth *depth, int64_t key) noexcept nogil:
    """Greatest occupied key < key inside the window; key itself when there is none."""
    cdef int64_t at = key - 1
    cdef int64_t index, word_at
    cdef uint64_t word
    while at >= depth.lo:
        index = at & (depth.window - 1)
        word_at = index >> 6
        word = depth.words[word_at]
        if (index & 63) != 63:
            word &= ((<uint64_t>1) << ((index & 63) + 1)) - 1
        if word:
            at -= (index & 63) - titan_high_bit(word)
            return at if at >= depth.lo else key
        at -= (index & 63) + 1
    return key


cdef void _window_lower(BookDepth *depth, int64_t lo) noexcept nogil:
    """Moves the window down to lo and pulls in what the overflow holds there."""
    cdef BookLevel *level
    depth.lo = lo
    while depth.n_overflow > 0:
        level = &depth.overflow[depth.n_overflow - 1]
        if level.key < lo:
            return
        _ring_put(depth, level.key, level.lots)
        depth.n_overflow -= 1


cdef int64_t _ring_above(const BookDepth *depth, int64_t key, int64_t end) noexcept nogil:
    """Least occupied key in key .. end - 1 inside the window; end when there is none."""
    cdef int64_t index
    cdef uint64_t word
    while key < end:
        index = key & (depth.window - 1)
        word = depth.words[index >> 6] >> (index & 63)
        if word:
            key += titan_low_bit(word)
            return key if key < end else end
        key += 64 - (index & 63)
    return end


cdef void _window_raise(BookDepth *depth, int64_t lo) noexcept nogil:
    """Moves the window up to lo and pushes what falls out below into the overflow."""
    cdef int64_t end = lo if lo < depth.lo + depth.window else depth.lo + depth.window
    cdef int64_t key = _ring_above(depth, depth.lo, end)
    # Ascending, so that each level is a plain append to the sorted overflow.
    while key < end:
        _overflow_set(depth, key, depth.lots[key & (depth.window - 1)])
        _ring_take(depth, key)
        key = _ring_above(depth, key + 1, end)
    depth.lo = lo


cdef void _after_best_left(BookDepth *depth) noexcept nogil:
    """The best level is gone: find the next and keep the window under the touch."""
    cdef int64_t next_key
    if depth.n_window > 0:
        next_key = _ring_below(depth, depth.best)
        depth.best = next_key
    elif depth.n_overflow > 0:
        next_key = depth.overflow[depth.n_overflow - 1].key
        _window_lower(depth, next_key + 1 + _headroom(depth) - depth.window)
        depth.best = next_key
        return
    else:
        return
    if depth.best < depth.lo + (depth.window >> 2) and depth.n_overflow > 0:
        _window_lower(depth, depth.best + 1 + _headroom(depth) - depth.window)


cdef void _depth_set(BookDepth *depth, int64_t key, int64_t lots) noexcept nogil:
    cdef int64_t index
    if depth.n_window == 0:
        if lots == 0:
            return
        # With an empty window the overflow is empty too.
        depth.lo = key + 1 + _headroom(depth) - depth.window
        _ring_put(depth, key, lots)
        depth.best = key
        return
    if key < depth.lo:
        _overflow_set(depth, key, lots)
        return
    if key >= depth.lo + depth.window:
        if lots == 0:
            return
        _window_raise(depth, key + 1 + _headroom(depth) - depth.window)
        _ring_put(depth, key, lots)
        depth.best = key
        return
    index = key & (depth.window - 1)
    if depth.lots[index] == 0:
        if lots == 0:
            return
        _ring_put(depth, key, lots)
        if key > depth.best:
            depth.best = key
        return
    if lots > 0:
        depth.lots[index] = lots
        return
    _ring_take(depth, key)
    if key == depth.best:
        _after_best_left(depth)


cdef void _depth_clear(BookDepth *depth) noexcept nogil:
    memset(depth.lots, 0, depth.window * sizeof(int64_t))
    memset(depth.words, 0, (depth.window >> 6) * sizeof(uint64_t))
    depth.n_window = 0
    depth.n_overflow = 0
    depth.best = 0
    depth.lo = 0
    depth.horizon = -(<int64_t>1 << 62)


# ---- life -------------------------------------------------------------------------------------

cdef int book_init(Book *book, int rule, int window_log2, int overflow_limit) noexcept nogil:
    """Takes all memory the book will ever need; a failed init leaves nothing allocated."""
    cdef int side
    memset(book, 0, sizeof(Book))
    if (window_log2 < BOOK_WINDOW_LOG2_MIN or window_log2 > BOOK_WINDOW_LOG2_MAX
            or overflow_limit < 1):
        return CODE_NO_MEMORY
    if rule <= RULE_NONE or rule > RULE_CHAINED:
        return CODE_NO_RULE
    book.rule = rule
    for side in range(2):
        book.depth[side].window = (<int64_t>1) << window_log2
        book.depth[side].overflow_limit = overflow_limit
        book.depth[side].lots = <int64_t *>calloc(book.depth[side].window, sizeof(int64_t))
        book.depth[side].words = <uint64_t *>calloc(book.depth[side].window >> 6,
                                                    sizeof(uint64_t))
        book.depth[side].overflow = <BookLevel *>calloc(overflow_limit, sizeof(BookLevel))
        if (book.depth[side].lots == NULL or book.depth[side].words == NULL
                or book.depth[side].overflow == NULL):
            book_free(book)
            return CODE_NO_MEMORY
        _depth_clear(&book.depth[side])
    return CODE_OK


cdef void book_free(Book *book) noexcept nogil:
    cdef int side
    for side in range(2):
        free(book.depth[side].lots)
        free(book.depth[side].words)
        free(book.depth[side].overflow)
        book.depth[side].lots = NULL
        book.depth[side].words = NULL
        book.depth[side].overflow = NULL


cdef void book_clear(Book *book) noexcept nogil:
    """Back to EMPTY; counters stay."""
    _depth_clear(&book.depth[BOOK_BID])
    _depth_clear(&book.depth[BOOK_ASK])
    book.last_update_id = 0
    book.state = STATE_EMPTY


# ---- updates ----------------------------------------------------------------------------------

cdef int book_set_level(Book *book, int side, int64_t ticks, int64_t lots) noexcept nogil:
    """One level, no sequence check: for a venue that consumes what it displayed."""
    if ticks <= 0 or ticks > BOOK_MAX_TICKS or lots < 0 or lots > BOOK_MAX_LOTS:
        return CODE_BAD_LEVEL
    _depth_set(&book.depth[side], ticks if side == BOOK_BID else -ticks, lots)
    return CODE_OK


cdef int _apply_levels(Book *book, int side, const int64_t *ticks, const int64_t *lots,
                       int count) noexcept nogil:
    cdef int at
    cdef int64_t sign = 1 if side == BOOK_BID else -1
    cdef BookDepth *depth = &book.depth[side]
    for at in range(count):
        if (ticks[at] <= 0 or ticks[at] > BOOK_MAX_TICKS
                or lots[at] < 0 or lots[at] > BOOK_MAX_LOTS):
            return CODE_BAD_LEVEL
        _depth_set(depth, sign * ticks[at], lots[at])
    return CODE_OK


cdef int _apply_both(Book *book, const BookDelta *delta) noexcept nogil:
    cdef int code = _apply_levels(book, BOOK_BID, delta.bid_ticks, delta.bid_lots, delta.n_bids)
    if code == CODE_OK:
        code = _apply_levels(book, BOOK_ASK, delta.ask_ticks, delta.ask_lots, delta.n_asks)
    if code != CODE_OK:
        # Half applied: nothing in the book can be believed until the next snapshot.
        book.gaps += 1
        book.state = STATE_GAP
        return code
    book.last_update_id = delta.last_update_id
    book.last_update_ns = delta.update_ns
    return CODE_OK


cdef inline bint _is_crossed(const Book *book) noexcept nogil:
    if book.depth[BOOK_BID].n_window == 0 or book.depth[BOOK_ASK].n_window == 0:
        return False
    return book.depth[BOOK_BID].best >= -book.depth[BOOK_ASK].best


cdef int book_apply_snapshot(Book *book, const BookDelta *snapshot) noexcept nogil:
    """Replaces the book. Binance is LIVE after the diff that brackets it, others at once."""
    cdef int code
    book_clear(book)
    code = _apply_both(book, snapshot)
    if code != CODE_OK:
        return code
    if _is_crossed(book):
        book.state = STATE_CROSSED
        return CODE_CROSSED
    book.state = STATE_LIVE if book.rule >= RULE_BYBIT_V5 else STATE_SYNCING
    return CODE_OK


cdef int _sequence(const Book *book, const BookDelta *delta) noexcept nogil:
    """The venue's continuity rule: OK, IGNORED or GAP."""
    cdef int64_t last = book.last_update_id
    cdef bint first = book.state == STATE_SYNCING
    if book.rule == RULE_BINANCE_SPOT:
        if delta.last_update_id <= last:
            return CODE_IGNORED
        if first:
            return CODE_OK if delta.first_update_id <= last + 1 else CODE_GAP
        return CODE_OK if delta.first_update_id == last + 1 else CODE_GAP
    if book.rule == RULE_BYBIT_V5:
        if delta.last_update_id <= last:
            return CODE_IGNORED
        return CODE_OK if delta.last_update_id == last + 1 else CODE_GAP
    if book.rule == RULE_CHAINED and delta.last_update_id <= last:
        return CODE_IGNORED
    if delta.prev_update_id == last and delta.last_update_id >= last:
        return CODE_OK
    if delta.last_update_id < last or (not first and delta.last_update_id == last):
        return CODE_IGNORED
    return CODE_OK if first and delta.first_update_id <= last else CODE_GAP


cdef int book_apply_delta(Book *book, const BookDelta *delta) noexcept nogil:
    """One diff under the sequence rule. GAP is left only by a snapshot."""
    cdef int code
    if book.rule == RULE_BYBIT_V5 and delta.last_update_id == 1:
        return book_apply_snapshot(book, delta)  # the venue's service restarted
    if book.state == STATE_EMPTY:
        return CODE_NOT_READY
    if book.state == STATE_GAP:
        return CODE_GAP
    code = _sequence(book, delta)
    if code == CODE_GAP:
        book.gaps += 1
        book.state = STATE_GAP
    if code != CODE_OK:
        return code
    code = _apply_both(book, delta)
    if code != CODE_OK:
        return code
    book.updates += 1
    if _is_crossed(book):
        book.state = STATE_CROSSED
        return CODE_CROSSED
    book.state = STATE_LIVE
    return CODE_OK


cdef int book_check_stale(Book *book, int64_t now_ns, int64_t stale_after_ns) noexcept nogil:
    """LIVE becomes STALE by age; the next diff in sequence makes it LIVE again."""
    if book.state == STATE_LIVE and now_ns - book.last_update_ns > stale_after_ns:
        book.state = STATE_STALE
    return book.state


# ---- reads ------------------------------------------------------------------------------------

cdef int64_t book_lots_at(const Book *book, int side, int64_t ticks) noexcept nogil:
    cdef const BookDepth *depth = &book.depth[side]
    cdef int64_t key = ticks if side == BOOK_BID else -ticks
    cdef int at
    if depth.n_window == 0 or key >= depth.lo + depth.window:
        return 0
    if key >= depth.lo:
        return depth.lots[key & (depth.window - 1)]
    at = _overflow_find(depth, key)
    if at < depth.n_overflow and depth.overflow[at].key == key:
        return depth.overflow[at].lots
    return 0


cdef int64_t _key_below(const BookDepth *depth, int64_t key) noexcept nogil:
    """Next worse key that holds lots; key itself when the side ends."""
    cdef int64_t found
    cdef int at
    if key > depth.lo:
        found = _ring_below(depth, key)
        if found != key:
            return found
    at = _overflow_find(depth, key) - 1
    return depth.overflow[at].key if at >= 0 else key


cdef int64_t book_next_ticks(const Book *book, int side, int64_t ticks) noexcept nogil:
    """The level after ticks, going away from the touch; 0 at the end. From 0: the best."""
    cdef const BookDepth *depth = &book.depth[side]
    cdef int64_t key = ticks if side == BOOK_BID else -ticks
    cdef int64_t found
    if depth.n_window == 0:
        return BOOK_NO_PRICE
    if ticks == BOOK_NO_PRICE or key > depth.best:
        found = depth.best
    else:
        found = _key_below(depth, key)
        if found == key:
            return BOOK_NO_PRICE
    return found if side == BOOK_BID else -found


cdef int book_top(const Book *book, BookTop *top) noexcept nogil:
    """Both touches in one call; answers the state."""
    top.bid_ticks = book_best_ticks(book, BOOK_BID)
    top.ask_ticks = book_best_ticks(book, BOOK_ASK)
    top.bid_lots = book_lots_at(book, BOOK_BID, top.bid_ticks) if top.bid_ticks else 0
    top.ask_lots = book_lots_at(book, BOOK_ASK, top.ask_ticks) if top.ask_ticks else 0
    return book.state


cdef int book_walk(const Book *book, int side, int64_t lots, int64_t limit_ticks,
                   BookWalk *out) noexcept nogil:
    """What taking `lots` from `side` would cost, no further than limit_ticks (0: no limit).

    Answers OK, or NOT_READY when the depth within the limit does not cover the size.
    """
    cdef int64_t best = book_best_ticks(book, side)
    cdef int64_t ticks = best
    cdef int64_t here
    cdef titan_i128 notional = 0
    memset(out, 0, sizeof(BookWalk))
    while ticks != BOOK_NO_PRICE and out.filled_lots < lots:
        if limit_ticks != 0 and (
                ticks > limit_ticks if side == BOOK_ASK else ticks < limit_ticks):
            break
        here = book_lots_at(book, side, ticks)
        if here > lots - out.filled_lots:
            here = lots - out.filled_lots
        notional += <titan_i128>ticks * here
        out.filled_lots += here
        out.worst_ticks = ticks
        out.levels += 1
        ticks = book_next_ticks(book, side, ticks)
    if out.filled_lots > 0:
        if side == BOOK_ASK:
            out.vwap_micro_ticks = titan_ceil_div(notional * 1000000, out.filled_lots)
            out.impact_ppm = titan_ceil_div(out.vwap_micro_ticks - <titan_i128>best * 1000000, best)
        else:
            out.vwap_micro_ticks = titan_floor_div(notional * 1000000, out.filled_lots)
            out.impact_ppm = titan_ceil_div(<titan_i128>best * 1000000 - out.vwap_micro_ticks, best)
    return CODE_OK if out.filled_lots == lots else CODE_NOT_READY


cdef int64_t book_depth_lots(const Book *book, int side, int levels) noexcept nogil:
    """Lots of the best `levels` levels."""
    cdef int64_t ticks = book_best_ticks(book, side)
    cdef int64_t total = 0
    cdef int seen = 0
    while ticks != BOOK_NO_PRICE and seen < levels:
        total += book_lots_at(book, side, ticks)
        ticks = book_next_ticks(book, side, ticks)
        seen += 1
    return total


cdef int64_t book_imbalance_ppm(const Book *book, int levels) noexcept nogil:
    """(bid - ask) / (bid + ask) of the best levels in 1e-6; 0 for an empty book."""
    cdef int64_t bid = book_depth_lots(book, BOOK_BID, levels)
    cdef int64_t ask = book_depth_lots(book, BOOK_ASK, levels)
    if bid + ask == 0:
        return 0
    return titan_floor_div(<titan_i128>(bid - ask) * 1000000, bid + ask)


cdef inline uint64_t _mix(uint64_t state, int64_t value) noexcept nogil:
    # FNV-1a over 64-bit words with a fold: cheap, and enough to tell two books apart.
    state = (state ^ <uint64_t>value) * <uint64_t>1099511628211
    return state ^ (state >> 29)


cdef uint64_t book_digest(const Book *book) noexcept nogil:
    """Equal for equal depth, update id and state; for determinism checks."""
    cdef uint64_t state = <uint64_t>14695981039346656037U
    cdef int side
    cdef int64_t ticks
    state = _mix(_mix(state, book.last_update_id), book.state)
    for side in range(2):
        ticks = book_best_ticks(book, side)
        while ticks != BOOK_NO_PRICE:
            state = _mix(_mix(state, ticks), book_lots_at(book, side, ticks))
            ticks = book_next_ticks(book, side, ticks)
        state = _mix(state, side)
    return state
