# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The venue socket's messages to records and back: thin glue on the generated codec.

Owns the flattening of VenueEvent and the filling of VenueRequest. Must never know what an event
leads to.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from titan.venue.v1.market_hot cimport MarketEvent
from titan.venue.v1.venue_hot cimport VenueEvent as WireEvent
from titan.venue.v1.venue_hot cimport VenueRequest as WireRequest
from titan.venue.v1.venue_hot cimport decode_venue_event, encode_venue_request
from titan.wire cimport Slice, next_packed

from titan_execution.core.records cimport *
from titan_execution.core.vocabulary cimport *

assert sizeof(WireEvent) <= 64 * 8


cdef inline View _view(const uint8_t *at, uint32_t size) noexcept nogil:
    cdef View view
    view.at = at
    view.size = <int32_t>size
    return view


cdef inline void _legible(uint8_t *at, uint32_t size) noexcept nogil:
    """A venue's words as printable ASCII: a report that is not UTF-8 could not be applied."""
    cdef uint32_t i
    for i in range(size):
        if at[i] < 32 or at[i] > 126:
            at[i] = 63


cdef inline bint _is_legible(const uint8_t *at, uint32_t size) noexcept nogil:
    """Keys are never mended: two of them must not become one."""
    cdef uint32_t i
    for i in range(size):
        if at[i] < 33 or at[i] > 126:
            return False
    return True


cdef bint _clean(WireEvent *wire) noexcept nogil:
    """Mends words, judges keys; False: the event cannot be believed."""
    if wire.body_case == 4:
        return _is_legible(&wire.body.order_ack.venue_order_id[0],
                           wire.body.order_ack.venue_order_id_len)
    if wire.body_case == 5:
        _legible(&wire.body.order_reject.code[0], wire.body.order_reject.code_len)
        _legible(&wire.body.order_reject.text[0], wire.body.order_reject.text_len)
    elif wire.body_case == 6:
        return (_is_legible(&wire.body.trade.trade_id[0], wire.body.trade.trade_id_len)
                and _is_legible(&wire.body.trade.venue_order_id[0],
                                wire.body.trade.venue_order_id_len))
    elif wire.body_case == 8:
        _legible(&wire.body.cancel_reject.code[0], wire.body.cancel_reject.code_len)
        _legible(&wire.body.cancel_reject.text[0], wire.body.cancel_reject.text_len)
    elif wire.body_case == 9:
        _legible(&wire.body.order_state.reject_code[0], wire.body.order_state.reject_code_len)
        return (_is_legible(&wire.body.order_state.client_order_id[0],
                            wire.body.order_state.client_order_id_len)
                and _is_legible(&wire.body.order_state.symbol[0],
                                wire.body.order_state.symbol_len)
                and _is_legible(&wire.body.order_state.venue_order_id[0],
                                wire.body.order_state.venue_order_id_len))
    return True


cdef inline void _put(const View view, uint8_t *to, uint32_t *size, uint32_t cap) noexcept nogil:
    size[0] = <uint32_t>view.size if <uint32_t>view.size <= cap else cap
    memcpy(to, view.at, size[0])


cdef void _book_event(const MarketEvent *wire, VenueEvent *out) noexcept nogil:
    out.symbol = _view(&wire.symbol[0], wire.symbol_len)
    out.event_boottime_ns = wire.event_boottime_ns
    if wire.body_case == 4:
        out.kind = VENUE_BOOK_SNAPSHOT
        out.update_id = wire.body.book_snapshot.update_id
        out.bid_ticks = _view(wire.body.book_snapshot.bid_price_ticks.data,
                              wire.body.book_snapshot.bid_price_ticks.size)
        out.bid_lots = _view(wire.body.book_snapshot.bid_qty_lots.data,
                             wire.body.book_snapshot.bid_qty_lots.size)
        out.ask_ticks = _view(wire.body.book_snapshot.ask_price_ticks.data,
                              wire.body.book_snapshot.ask_price_ticks.size)
        out.ask_lots = _view(wire.body.book_snapshot.ask_qty_lots.data,
                             wire.body.book_snapshot.ask_qty_lots.size)
    elif wire.body_case == 5:
        out.kind = VENUE_BOOK_DELTA
        out.prev_update_id = wire.body.book_delta.prev_update_id
        out.update_id = wire.body.book_delta.update_id
        out.bid_ticks = _view(wire.body.book_delta.bid_price_ticks.data,
                              wire.body.book_delta.bid_price_ticks.size)
        out.bid_lots = _view(wire.body.book_delta.bid_qty_lots.data,
                             wire.body.book_delta.bid_qty_lots.size)
        out.ask_ticks = _view(wire.body.book_delta.ask_price_ticks.data,
                              wire.body.book_delta.ask_price_ticks.size)
        out.ask_lots = _view(wire.body.book_delta.ask_qty_lots.data,
                             wire.body.book_delta.ask_qty_lots.size)
    else:
        out.kind = VENUE_PUBLIC_TRADE


cdef void _order_event(const WireEvent *wire, VenueEvent *out) noexcept nogil:
    """Acks, rejects, fills, ends: what happened to one of our orders."""
    if wire.body_case == 4:
        out.kind = VENUE_ORDER_ACK
        out.client_order_id = _view(&wire.body.order_ack.client_order_id[0],
                                    wire.body.order_ack.client_order_id_len)
        out.venue_order_id = _view(&wire.body.order_ack.venue_order_id[0],
                                   wire.body.order_ack.venue_order_id_len)
        out.venue_time_ns = wire.body.order_ack.venue_time_ns
    elif wire.body_case == 5:
        out.kind = VENUE_ORDER_REJECT
        out.client_order_id = _view(&wire.body.order_reject.client_order_id[0],
                                    wire.body.order_reject.client_order_id_len)
        out.code = _view(&wire.body.order_reject.code[0], wire.body.order_reject.code_len)
        out.text = _view(&wire.body.order_reject.text[0], wire.body.order_reject.text_len)
        out.venue_time_ns = wire.body.order_reject.venue_time_ns
    elif wire.body_case == 6:
        out.kind = VENUE_TRADE
        out.client_order_id = _view(&wire.body.trade.client_order_id[0],
                                    wire.body.trade.client_order_id_len)
        out.venue_order_id = _view(&wire.body.trade.venue_order_id[0],
                                   wire.body.trade.venue_order_id_len)
        out.trade_id = _view(&wire.body.trade.trade_id[0], wire.body.trade.trade_id_len)
        out.qty_lots = wire.body.trade.qty_lots
        out.price_ticks = wire.body.trade.price_ticks
        out.fee_nanos = wire.body.trade.fee_nanos
        out.liquidity = wire.body.trade.liquidity
        out.cum_qty_lots = wire.body.trade.cum_qty_lots
        out.leaves_qty_lots = wire.body.trade.leaves_qty_lots
        out.venue_time_ns = wire.body.trade.venue_time_ns
        out.replayed = wire.body.trade.replayed
    elif wire.body_case == 7:
        out.kind = VENUE_ORDER_CANCELED
        out.client_order_id = _view(&wire.body.order_canceled.client_order_id[0],
                                    wire.body.order_canceled.client_order_id_len)
        out.cum_qty_lots = wire.body.order_canceled.cum_qty_lots
        out.expired = wire.body.order_canceled.expired
        out.venue_time_ns = wire.body.order_canceled.venue_time_ns
    else:
        out.kind = VENUE_CANCEL_REJECT
        out.client_order_id = _view(&wire.body.cancel_reject.client_order_id[0],
                                    wire.body.cancel_reject.client_order_id_len)
        out.code = _view(&wire.body.cancel_reject.code[0], wire.body.cancel_reject.code_len)
        out.text = _view(&wire.body.cancel_reject.text[0], wire.body.cancel_reject.text_len)


cdef void _state_event(const WireEvent *wire, VenueEvent *out) noexcept nogil:
    """Answers to queries."""
    if wire.body_case == 9:
        out.kind = VENUE_ORDER_STATE
        out.client_order_id = _view(&wire.body.order_state.client_order_id[0],
                                    wire.body.order_state.client_order_id_len)
        out.venue_order_id = _view(&wire.body.order_state.venue_order_id[0],
                                   wire.body.order_state.venue_order_id_len)
        out.symbol = _view(&wire.body.order_state.symbol[0], wire.body.order_state.symbol_len)
        out.code = _view(&wire.body.order_state.reject_code[0],
                         wire.body.order_state.reject_code_len)
        out.found = wire.body.order_state.found
        out.ord_status = wire.body.order_state.ord_status
        out.cum_qty_lots = wire.body.order_state.cum_qty_lots
        out.leaves_qty_lots = wire.body.order_state.leaves_qty_lots
        out.qty_lots = wire.body.order_state.qty_lots
        out.price_ticks = wire.body.order_state.price_ticks
        out.side = wire.body.order_state.side
    elif wire.body_case == 10:
        out.kind = VENUE_POSITION
        out.symbol = _view(&wire.body.position.symbol[0], wire.body.position.symbol_len)
        out.position_lots = wire.body.position.position_lots
    elif wire.body_case == 11:
        out.kind = VENUE_QUERY_END
        out.count = wire.body.query_end.count
        out.complete = wire.body.query_end.complete
    else:
        out.kind = VENUE_REQUEST_REFUSED
        out.code = _view(&wire.body.request_refused.code[0], wire.body.request_refused.code_len)
        out.text = _view(&wire.body.request_refused.text[0], wire.body.request_refused.text_len)


cdef int codec_venue_event(const uint8_t *data, int32_t size, VenueEvent *out) noexcept nogil:
    cdef WireEvent *wire = <WireEvent *>&out.scratch[0]
    memset(out, 0, sizeof(VenueEvent) - sizeof(out.scratch))
    if decode_venue_event(data, size, wire) or not _clean(wire):
        return REJECT_REASON_MALFORMED
    out.request_id = wire.request_id
    out.event_sequence = wire.event_sequence
    if wire.body_case == 14:
        _book_event(&wire.body.market_event, out)
    elif wire.body_case == 3:
        out.kind = VENUE_LOGON_ACCEPTED
        out.symbol = _view(&wire.body.logon_accepted.venue[0],
                           wire.body.logon_accepted.venue_len)
        out.boottime_ns = wire.body.logon_accepted.boottime_ns
        out.venue_epoch = wire.body.logon_accepted.venue_epoch
    elif 4 <= wire.body_case <= 8:
        _order_event(wire, out)
    elif 9 <= wire.body_case <= 12:
        _state_event(wire, out)
    return 0


cdef int codec_levels(View packed, int64_t *out, int32_t limit) noexcept nogil:
    """Unpacks one side of a book event; answers the number of elements or -1."""
    cdef Slice slice
    cdef int32_t n = 0
    cdef int code
    slice.data = packed.at
    slice.size = <uint32_t>packed.size
    while True:
        if n == limit:
            return n if slice.size == 0 else -1
        code = next_packed(&slice, &out[n])
        if code <= 0:
            return n if code == 0 else -1
        n += 1


cdef int64_t encode_request_to(const VenueRequest *request, uint8_t *out,
                               int64_t cap) noexcept nogil:
    """One request of the venue socket."""
    cdef WireRequest wire
    wire.request_id = request.request_id
    if request.verb == VERB_SUBMIT:
        wire.body_case = 3
        _put(request.client_order_id, &wire.body.submit_order.client_order_id[0],
             &wire.body.submit_order.client_order_id_len, 36)
        _put(request.symbol, &wire.body.submit_order.symbol[0],
             &wire.body.submit_order.symbol_len, 24)
        wire.body.submit_order.side = request.side
        wire.body.submit_order.order_type = request.order_type
        wire.body.submit_order.time_in_force = request.time_in_force
        wire.body.submit_order.qty_lots = request.qty_lots
        wire.body.submit_order.price_ticks = request.price_ticks
        wire.body.submit_order.reduce_only = request.reduce_only
        wire.body.submit_order.signed_boottime_ns = request.signed_boottime_ns
        wire.body.submit_order.expires_boottime_ns = request.expires_boottime_ns
    elif request.verb == VERB_CANCEL:
        wire.body_case = 4
        _put(request.client_order_id, &wire.body.cancel_order.client_order_id[0],
             &wire.body.cancel_order.client_order_id_len, 36)
    elif request.verb == VERB_QUERY_ORDER:
        wire.body_case = 6
        _put(request.client_order_id, &wire.body.query_order.client_order_id[0],
             &wire.body.query_order.client_order_id_len, 36)
    elif request.verb == VERB_QUERY_OPEN_ORDERS:
        wire.body_case = 7
    elif request.verb == VERB_QUERY_TRADES:
        wire.body_case = 8
        _put(request.client_order_id, &wire.body.query_trades.client_order_id[0],
             &wire.body.query_trades.client_order_id_len, 36)
    elif request.verb == VERB_QUERY_POSITIONS:
        wire.body_case = 9
    else:
        wire.body_case = 2
        wire.body.logon.role = 1
        _put(request.account, &wire.body.logon.account[0], &wire.body.logon.account_len, 24)
        wire.body.logon.market_data = True
    return encode_venue_request(&wire, out, cap)
