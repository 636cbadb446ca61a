"""VenueEvent messages, one builder each.

Owns the wire form of what the venue says. Must never decide anything.
"""

from __future__ import annotations

from titan.trading.v1 import order_pb2
from titan.venue.v1 import venue_pb2

from titan_market.venue.ledger import Order

MAX_TEXT = 96


def ack(order: Order) -> venue_pb2.VenueEvent:
    """The order is taken."""
    return venue_pb2.VenueEvent(
        order_ack=venue_pb2.OrderAck(
            client_order_id=order.request.client_order_id,
            venue_order_id=order.venue_order_id,
            venue_time_ns=order.taken_ns,
        )
    )


def reject(client_order_id: str, code: str, text: str, now_ns: int) -> venue_pb2.VenueEvent:
    """The order is refused."""
    return venue_pb2.VenueEvent(
        order_reject=venue_pb2.OrderReject(
            client_order_id=client_order_id,
            code=code,
            text=text[:MAX_TEXT],
            venue_time_ns=now_ns,
        )
    )


def trade(fill: venue_pb2.Trade, replayed: bool = False) -> venue_pb2.VenueEvent:
    """A fill, or its repetition for a query."""
    event = venue_pb2.VenueEvent(trade=fill)
    event.trade.replayed = replayed
    return event


def canceled(order: Order) -> venue_pb2.VenueEvent:
    """The order ended without filling whole."""
    return venue_pb2.VenueEvent(
        order_canceled=venue_pb2.OrderCanceled(
            client_order_id=order.request.client_order_id,
            cum_qty_lots=order.cum_qty_lots,
            expired=order.expired,
            venue_time_ns=order.ended_ns,
        )
    )


def cancel_reject(client_order_id: str, code: str, text: str) -> venue_pb2.VenueEvent:
    """The cancel is refused."""
    return venue_pb2.VenueEvent(
        cancel_reject=venue_pb2.CancelReject(
            client_order_id=client_order_id, code=code, text=text[:MAX_TEXT]
        )
    )


def not_found(client_order_id: str) -> venue_pb2.VenueEvent:
    """The venue knows no such order."""
    return venue_pb2.VenueEvent(
        order_state=venue_pb2.OrderState(client_order_id=client_order_id, found=False)
    )


def order_state(order: Order, hidden_after_ns: int) -> venue_pb2.VenueEvent:
    """The order as a query sees it: nothing that happened after hidden_after_ns."""
    seen = sum(t.qty_lots for t in order.trades if t.venue_time_ns <= hidden_after_ns)
    ended = order.ended_ns != 0 and order.ended_ns <= hidden_after_ns
    if ended:
        status = order.status
    else:
        status = order_pb2.ORD_STATUS_PARTIALLY_FILLED if seen else order_pb2.ORD_STATUS_NEW
    return venue_pb2.VenueEvent(
        order_state=venue_pb2.OrderState(
            client_order_id=order.request.client_order_id,
            found=True,
            ord_status=status,
            venue_order_id=order.venue_order_id,
            cum_qty_lots=seen,
            leaves_qty_lots=0 if ended else order.request.qty_lots - seen,
            symbol=order.request.symbol,
            side=order.request.side,
            qty_lots=order.request.qty_lots,
            price_ticks=order.request.price_ticks,
            reject_code=order.reject_code,
        )
    )


def position(symbol: str, position_lots: int) -> venue_pb2.VenueEvent:
    """Position of one symbol."""
    return venue_pb2.VenueEvent(
        position=venue_pb2.Position(symbol=symbol, position_lots=position_lots)
    )


def query_end(count: int, error: str = "") -> venue_pb2.VenueEvent:
    """End of an answer; an error makes it evidence of nothing."""
    return venue_pb2.VenueEvent(
        query_end=venue_pb2.QueryEnd(count=count, complete=not error, error=error[:MAX_TEXT])
    )


def refused(code: str, text: str) -> venue_pb2.VenueEvent:
    """The request was not understood or not allowed."""
    return venue_pb2.VenueEvent(
        request_refused=venue_pb2.RequestRefused(code=code, text=text[:MAX_TEXT])
    )
