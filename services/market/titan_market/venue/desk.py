"""Order entry of the paper venue: checks, matching, fills, cancels.

Owns what happens to an order and writes each step to the log before it is told. Must never know
connections or latency.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from titan.trading.v1 import instrument_pb2, order_pb2
from titan.venue.v1 import order_log_pb2, venue_pb2
from titan_mesh.money import nanos_of

from titan_market.venue import answers
from titan_market.venue.ledger import Ledger, Order
from titan_market.venue.limits import MAX_OPEN_ORDERS, MAX_ORDERS
from titan_market.venue.matching import Market
from titan_market.venue.moments import Moment
from titan_market.venue.orderlog import EntrySink

PPM = 1_000_000
_TAKES = frozenset({order_pb2.TIME_IN_FORCE_IOC, order_pb2.TIME_IN_FORCE_FOK})


class Told(NamedTuple):
    """An event of an order, for every trading connection of its account."""

    order: Order | None
    account: str
    event: venue_pb2.VenueEvent


class Refusal(NamedTuple):
    """A raw venue code with its text."""

    code: str
    text: str


DUPLICATE = Refusal("-2010", "Duplicate order sent.")
OUTSIDE_WINDOW = Refusal("-1021", "Timestamp for this request is outside of the recvWindow.")


def fee_nanos(
    spec: instrument_pb2.InstrumentSpec, qty_lots: int, price_ticks: int, ppm: int
) -> int:
    """Fee of a fill, rounded up to the nano against the account; negative is a rebate."""
    notional = qty_lots * price_ticks * spec.notional_nanos_per_tick_lot
    return -(-notional * ppm // PPM)


class Desk:
    """Takes orders of all accounts for all symbols of the venue."""

    def __init__(
        self,
        specs: Mapping[str, instrument_pb2.InstrumentSpec],
        ledger: Ledger,
        log: EntrySink,
    ) -> None:
        self._specs = specs
        self._ledger = ledger
        self._log = log
        self.markets = {symbol: Market() for symbol in specs}

    # ---- the log ---------------------------------------------------------------------------

    def record(self, entry: order_log_pb2.OrderLogEntry, now: Moment) -> None:
        """Numbers, logs and applies one entry."""
        entry.sequence = self._ledger.sequence + 1
        entry.venue_time_ns = now.unix_ns
        self._log.append(entry)
        self._ledger.apply(entry)

    def start(self, now: Moment) -> None:
        """Opens the next epoch; open orders of the last one rest again, at the end of the queue."""
        self.record(
            order_log_pb2.OrderLogEntry(
                kind=order_log_pb2.ORDER_LOG_KIND_START, venue_epoch=self._ledger.epoch + 1
            ),
            now,
        )
        for order in list(self._ledger.by_handle.values()):
            market = self.markets.get(order.request.symbol)
            if market is None or not market.rest(
                order.handle, order.buys, order.request.price_ticks, order.leaves_qty_lots
            ):
                self._end(order, now, expired=True)

    # ---- orders ----------------------------------------------------------------------------

    def submit(
        self, account: str, request: venue_pb2.SubmitOrder, now: Moment, forced: bool
    ) -> list[Told]:
        """One order request; `forced` refuses it (fault knob)."""
        refusal = self._check(account, request, now)
        if refusal is None and forced:
            refusal = Refusal("-1", "Refused by a fault knob.")
        if refusal is not None:
            return self._refuse(account, request, refusal, now)
        sequence = self._ledger.sequence + 1
        self.record(
            order_log_pb2.OrderLogEntry(
                kind=order_log_pb2.ORDER_LOG_KIND_ACCEPTED,
                account=account,
                order=request,
                venue_order_id=f"P{sequence}",
                client_order_id=request.client_order_id,
                ord_status=order_pb2.ORD_STATUS_NEW,
            ),
            now,
        )
        order = self._ledger.orders[account, request.client_order_id]
        told = [Told(order, account, answers.ack(order))]
        market = self.markets[request.symbol]
        if request.time_in_force != order_pb2.TIME_IN_FORCE_POST_ONLY:
            for lots, ticks in market.take(order.buys, request.qty_lots, request.price_ticks):
                told.append(self._fill(order, lots, ticks, order_pb2.LIQUIDITY_TAKER, now))
        if order.is_open:
            told.extend(self._rest(order, market, now))
        told.extend(self._end_unreducing(account, request.symbol, now))
        return told

    def _rest(self, order: Order, market: Market, now: Moment) -> list[Told]:
        request = order.request
        rests = (
            request.order_type == order_pb2.ORDER_TYPE_LIMIT
            and request.time_in_force not in _TAKES
            and market.rest(order.handle, order.buys, request.price_ticks, order.leaves_qty_lots)
        )
        return [] if rests else [self._end(order, now, expired=True)]

    def _refuse(
        self, account: str, request: venue_pb2.SubmitOrder, refusal: Refusal, now: Moment
    ) -> list[Told]:
        self.record(
            order_log_pb2.OrderLogEntry(
                kind=order_log_pb2.ORDER_LOG_KIND_REJECTED,
                account=account,
                order=request,
                client_order_id=request.client_order_id,
                reject_code=refusal.code,
                ord_status=order_pb2.ORD_STATUS_REJECTED,
            ),
            now,
        )
        event = answers.reject(request.client_order_id, *refusal, now.unix_ns)
        return [Told(None, account, event)]

    def cancel(self, account: str, client_order_id: str, now: Moment) -> list[Told]:
        """Ends an open order."""
        order = self._ledger.find(account, client_order_id)
        if order is None or not order.is_open:
            text = "Unknown order sent." if order is None else "Order is not open."
            return [Told(order, account, answers.cancel_reject(client_order_id, "-2011", text))]
        self.markets[order.request.symbol].cancel(order.handle)
        return [self._end(order, now, expired=False)]

    def cancel_all(self, account: str, symbol: str, now: Moment) -> list[Told]:
        """Ends every open order of the account, of one symbol or of all."""
        told = []
        for order in self._ledger.open_orders(account, symbol):
            told.extend(self.cancel(account, order.request.client_order_id, now))
        return told

    def fills(self, symbol: str, fills: list[tuple[int, int, int]], now: Moment) -> list[Told]:
        """What the market did to resting orders: (handle, lots, ticks) each."""
        told = []
        for handle, lots, ticks in fills:
            order = self._ledger.by_handle.get(handle)
            if order is None:
                continue  # ended by the reduce-only rule a moment ago
            told.append(self._fill(order, lots, ticks, order_pb2.LIQUIDITY_MAKER, now))
            told.extend(self._end_unreducing(order.account, symbol, now))
        return told

    def _fill(
        self,
        order: Order,
        lots: int,
        ticks: int,
        liquidity: order_pb2.Liquidity.ValueType,
        now: Moment,
    ) -> Told:
        spec = self._specs[order.request.symbol]
        maker = liquidity == order_pb2.LIQUIDITY_MAKER
        ppm = spec.maker_fee_ppm if maker else spec.taker_fee_ppm
        filled = order.cum_qty_lots + lots
        leaves = order.request.qty_lots - filled
        fill = venue_pb2.Trade(
            client_order_id=order.request.client_order_id,
            # The log's own number: unique for ever, restarts included.
            trade_id=f"T{self._ledger.sequence + 1}",
            qty_lots=lots,
            price_ticks=ticks,
            fee_nanos=fee_nanos(spec, lots, ticks, ppm),
            liquidity=liquidity,
            cum_qty_lots=filled,
            leaves_qty_lots=leaves,
            venue_time_ns=now.unix_ns,
            venue_order_id=order.venue_order_id,
        )
        self.record(
            order_log_pb2.OrderLogEntry(
                kind=order_log_pb2.ORDER_LOG_KIND_TRADE,
                account=order.account,
                venue_order_id=order.venue_order_id,
                client_order_id=order.request.client_order_id,
                trade=fill,
                ord_status=(
                    order_pb2.ORD_STATUS_PARTIALLY_FILLED if leaves else order_pb2.ORD_STATUS_FILLED
                ),
            ),
            now,
        )
        return Told(order, order.account, answers.trade(fill))

    def _end(self, order: Order, now: Moment, expired: bool) -> Told:
        self.record(
            order_log_pb2.OrderLogEntry(
                kind=order_log_pb2.ORDER_LOG_KIND_CANCELED,
                account=order.account,
                venue_order_id=order.venue_order_id,
                client_order_id=order.request.client_order_id,
                expired=expired,
                ord_status=(
                    order_pb2.ORD_STATUS_EXPIRED if expired else order_pb2.ORD_STATUS_CANCELED
                ),
            ),
            now,
        )
        return Told(order, order.account, answers.canceled(order))

    def _end_unreducing(self, account: str, symbol: str, now: Moment) -> list[Told]:
        """Reduce-only orders that could now open a position are ended."""
        told: list[Told] = []
        position = self._ledger.position_lots(account, symbol)
        for handle in sorted(self._ledger.reducing):
            order = self._ledger.by_handle[handle]
            if (order.account, order.request.symbol) != (account, symbol):
                continue
            room = -position if order.buys else position
            if order.leaves_qty_lots > room:
                self.markets[symbol].cancel(order.handle)
                told.append(self._end(order, now, expired=True))
        return told

    # ---- checks ----------------------------------------------------------------------------

    def _check(self, account: str, request: venue_pb2.SubmitOrder, now: Moment) -> Refusal | None:
        """Why the venue refuses, in the raw codes of the market it plays."""
        if self._ledger.find(account, request.client_order_id) is not None:
            return DUPLICATE
        if not request.client_order_id or len(request.client_order_id) > 36:
            return Refusal("-1102", "client_order_id must have 1 to 36 characters.")
        if now.boottime_ns > request.expires_boottime_ns:
            return OUTSIDE_WINDOW
        spec = self._specs.get(request.symbol)
        if spec is None or spec.kind == instrument_pb2.CONTRACT_KIND_INVERSE:
            return Refusal("-1121", "Invalid symbol.")
        if len(self._ledger.orders) >= MAX_ORDERS:
            return Refusal("-1015", f"The venue keeps at most {MAX_ORDERS} orders.")
        return (
            self._check_words(request)
            or self._check_size(request, spec)
            or self._check_market(account, request)
        )

    @staticmethod
    def _check_words(request: venue_pb2.SubmitOrder) -> Refusal | None:
        if request.side not in (order_pb2.SIDE_BUY, order_pb2.SIDE_SELL):
            return Refusal("-1117", f"Invalid side {request.side}.")
        if request.order_type not in (order_pb2.ORDER_TYPE_LIMIT, order_pb2.ORDER_TYPE_MARKET):
            return Refusal("-1116", f"Invalid order type {request.order_type}.")
        if request.time_in_force not in (
            order_pb2.TIME_IN_FORCE_GTC,
            order_pb2.TIME_IN_FORCE_POST_ONLY,
            *_TAKES,
        ):
            return Refusal("-1115", f"Invalid time in force {request.time_in_force}.")
        return None

    @staticmethod
    def _check_size(
        request: venue_pb2.SubmitOrder,
        spec: instrument_pb2.InstrumentSpec,
    ) -> Refusal | None:
        qty, price = request.qty_lots, request.price_ticks
        if not spec.min_qty_lots <= qty <= spec.max_qty_lots:
            return Refusal(
                "-4005", f"qty_lots {qty} is not in {spec.min_qty_lots}..{spec.max_qty_lots}."
            )
        if price <= 0:
            return Refusal("-4013", f"price_ticks {price} is not above 0.")
        notional = qty * price * spec.notional_nanos_per_tick_lot
        if notional < nanos_of(spec.min_notional, "min_notional") and not request.reduce_only:
            return Refusal(
                "-4164", f"Order's notional must be no smaller than {spec.min_notional}."
            )
        return None

    def _check_market(self, account: str, request: venue_pb2.SubmitOrder) -> Refusal | None:
        market = self.markets[request.symbol]
        qty, price = request.qty_lots, request.price_ticks
        buys = request.side == order_pb2.SIDE_BUY
        position = self._ledger.position_lots(account, request.symbol)
        tif = request.time_in_force
        if not market.live:
            return Refusal("-1001", f"No live book for {request.symbol}.")
        if market.resting_count >= MAX_OPEN_ORDERS:
            return Refusal("-1015", f"At most {MAX_OPEN_ORDERS} open orders a symbol.")
        if request.reduce_only and qty > (-position if buys else position):
            return Refusal("-2022", f"ReduceOnly Order is rejected: position {position}.")
        if tif == order_pb2.TIME_IN_FORCE_POST_ONLY and market.would_take(buys, price):
            return Refusal("-5022", "Post Only order would take liquidity.")
        if tif == order_pb2.TIME_IN_FORCE_FOK and not market.could_fill(buys, qty, price):
            return Refusal("-5021", "FOK order cannot be filled whole at once.")
        return None
