"""Orders, fills and positions of the paper venue as the fold of its log.

Owns the state that queries see. Must never change except by `apply`: the running venue and a
restarted one take the same path, so the log alone is the state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from titan.trading.v1 import order_pb2
from titan.venue.v1 import order_log_pb2, venue_pb2
from titan_mesh.errors import TitanError

OPEN_STATUSES = frozenset({order_pb2.ORD_STATUS_NEW, order_pb2.ORD_STATUS_PARTIALLY_FILLED})


@dataclass(slots=True)
class Order:
    """One order request that the venue saw, for ever."""

    account: str
    request: venue_pb2.SubmitOrder
    handle: int
    venue_order_id: str
    taken_ns: int
    status: order_pb2.OrdStatus.ValueType
    reject_code: str = ""
    cum_qty_lots: int = 0
    ended_ns: int = 0
    expired: bool = False
    trades: list[venue_pb2.Trade] = field(default_factory=list)
    answer_due_boottime_ns: int = 0
    """When the latency model lets the last answer out; runtime only, not in the log."""

    @property
    def leaves_qty_lots(self) -> int:
        """Lots still open."""
        return self.request.qty_lots - self.cum_qty_lots if self.is_open else 0

    @property
    def is_open(self) -> bool:
        """True while it can fill."""
        return self.status in OPEN_STATUSES

    @property
    def buys(self) -> bool:
        """True for a buy."""
        return self.request.side == order_pb2.SIDE_BUY


class Ledger:
    """Fold of OrderLogEntry."""

    def __init__(self) -> None:
        self.sequence = 0
        self.epoch = 0
        self.orders: dict[tuple[str, str], Order] = {}
        self.by_handle: dict[int, Order] = {}
        self.reducing: set[int] = set()
        self.positions: dict[tuple[str, str], int] = {}

    def apply(self, entry: order_log_pb2.OrderLogEntry) -> None:
        """Takes the next entry; LOG_SEQUENCE when it is not the next."""
        if entry.sequence != self.sequence + 1:
            raise _broken("LOG_SEQUENCE", entry, f"sequence {self.sequence + 1} comes next")
        self.sequence = entry.sequence
        if entry.kind == order_log_pb2.ORDER_LOG_KIND_START:
            self.epoch = entry.venue_epoch
        elif entry.kind == order_log_pb2.ORDER_LOG_KIND_ACCEPTED:
            self._take(entry)
        elif entry.kind == order_log_pb2.ORDER_LOG_KIND_REJECTED:
            self._reject(entry)
        elif entry.kind == order_log_pb2.ORDER_LOG_KIND_TRADE:
            self._fill(entry)
        elif entry.kind == order_log_pb2.ORDER_LOG_KIND_CANCELED:
            self._end(entry)
        else:
            raise _broken("LOG_KIND", entry, "a kind of OrderLogKind")

    def _order(self, entry: order_log_pb2.OrderLogEntry) -> Order:
        order = self.orders.get((entry.account, entry.client_order_id))
        if order is None or not order.is_open:
            raise _broken("LOG_ORDER", entry, "an open order taken before")
        return order

    def _take(self, entry: order_log_pb2.OrderLogEntry) -> None:
        key = (entry.account, entry.client_order_id)
        if key in self.orders:
            raise _broken("LOG_DUPLICATE", entry, "a client_order_id never seen before")
        order = Order(
            account=entry.account,
            request=entry.order,
            handle=entry.sequence,
            venue_order_id=entry.venue_order_id,
            taken_ns=entry.venue_time_ns,
            status=entry.ord_status,
        )
        self.orders[key] = order
        self.by_handle[order.handle] = order
        if order.request.reduce_only:
            self.reducing.add(order.handle)

    def _reject(self, entry: order_log_pb2.OrderLogEntry) -> None:
        # A refused repeat leaves the first request as it is.
        self.orders.setdefault(
            (entry.account, entry.client_order_id),
            Order(
                account=entry.account,
                request=entry.order,
                handle=entry.sequence,
                venue_order_id="",
                taken_ns=entry.venue_time_ns,
                status=order_pb2.ORD_STATUS_REJECTED,
                reject_code=entry.reject_code,
                ended_ns=entry.venue_time_ns,
            ),
        )

    def _fill(self, entry: order_log_pb2.OrderLogEntry) -> None:
        order = self._order(entry)
        trade = entry.trade
        order.cum_qty_lots += trade.qty_lots
        if order.cum_qty_lots > order.request.qty_lots or trade.qty_lots <= 0:
            raise _broken("LOG_OVERFILL", entry, f"at most {order.request.qty_lots} lots")
        order.trades.append(trade)
        order.status = entry.ord_status
        key = (order.account, order.request.symbol)
        signed = trade.qty_lots if order.buys else -trade.qty_lots
        self.positions[key] = self.positions.get(key, 0) + signed
        if not order.is_open:
            self._close(order, entry.venue_time_ns)

    def _end(self, entry: order_log_pb2.OrderLogEntry) -> None:
        order = self._order(entry)
        order.status = entry.ord_status
        order.expired = entry.expired
        self._close(order, entry.venue_time_ns)

    def _close(self, order: Order, ended_ns: int) -> None:
        order.ended_ns = ended_ns
        del self.by_handle[order.handle]
        self.reducing.discard(order.handle)

    def find(self, account: str, client_order_id: str) -> Order | None:
        """The order, whatever its state."""
        return self.orders.get((account, client_order_id))

    def open_orders(self, account: str, symbol: str = "") -> list[Order]:
        """Open orders of an account, oldest first."""
        return [
            order
            for order in self.by_handle.values()
            if order.account == account and symbol in ("", order.request.symbol)
        ]

    def position_lots(self, account: str, symbol: str) -> int:
        """Signed position."""
        return self.positions.get((account, symbol), 0)


def _broken(code: str, entry: order_log_pb2.OrderLogEntry, limit: str) -> TitanError:
    return TitanError(
        code=code,
        message=f"order log entry {entry.sequence} does not follow from those before it",
        field="sequence",
        value=f"{entry.sequence} {entry.client_order_id}",
        limit=limit,
        hint="The order log is damaged; keep it for inspection and start with a new home.",
    )
