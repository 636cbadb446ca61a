"""The desk: everything between the events of the mesh and one strategy, without any I/O.

Owns books, positions, orders, timers and the newest lease of one phase, and the order in which
handlers are called.
Must never know sockets, the bus, threads or protobuf decoding: the runner and the test kit feed it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from typing import Protocol

from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.ids import IdSource

from titan_sdk.allowance import Allowance, LeaseView
from titan_sdk.book import Book, BookChange
from titan_sdk.instruments import Instrument, Instruments
from titan_sdk.intent import Identity, Intent, encode_intent
from titan_sdk.market import BarBuilder, Trade
from titan_sdk.orders import OrderHandle, Outcome, Rejected, Report, ReportView, Stamps
from titan_sdk.strategy import Strategy
from titan_sdk.submit.intent_log import LoggedIntent
from titan_sdk.vocabulary import RecordKind, RejectReason, Side

MAX_TIMERS = 64
MAX_ENDED_ORDERS = 1024
CANCEL_AGAIN_NS = 1_000_000_000
_SIGN = {RecordKind.FILL: 1, RecordKind.BUST: -1}


class Outbound(Protocol):
    """Where the desk's wishes go; none of these may block."""

    capacity: int

    def submit(self, item: LoggedIntent) -> bool:
        """Take an intent; False when the queue is full and nothing was taken."""

    def cancel(self, intent_id: bytes) -> None:
        """Ask to cancel the order of an intent."""

    def closed(self, intent_id: bytes) -> None:
        """The order of an intent has ended."""

    def publish(self, symbol: str, intent_id: bytes, payload: bytes) -> None:
        """Tell the bus what is wished (telemetry)."""


class TradeView(Protocol):
    """What is read of titan.marketdata.v1.TradePrint, whichever family decoded it."""

    @property
    def symbol(self) -> str: ...  # noqa: D102
    @property
    def recorded_ns(self) -> int: ...  # noqa: D102
    @property
    def event_time_ns(self) -> int: ...  # noqa: D102
    @property
    def price_ticks(self) -> int: ...  # noqa: D102
    @property
    def qty_lots(self) -> int: ...  # noqa: D102
    @property
    def seller_is_taker(self) -> bool: ...  # noqa: D102


@dataclass(slots=True)
class Counts:
    """What passed the desk, for logs and the phase's state file."""

    books: int = 0
    trades: int = 0
    reports: int = 0
    duplicate_reports: int = 0
    foreign_reports: int = 0
    signals: int = 0
    accepted: int = 0
    fills: int = 0
    cancels: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Timer:
    interval_ns: int
    due_ns: int


class Desk:
    """Feeds one strategy. All methods are called from one thread."""

    def __init__(
        self,
        identity: Identity,
        instruments: Instruments,
        symbols: tuple[str, ...],
        *,
        outbound: Outbound,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self.identity = identity
        self.now_ns = 0
        self.last_epoch = 0
        self.last_lsn = 0
        self.allowance = Allowance.none()
        self.counts = Counts()
        self._instruments = instruments
        self._outbound = outbound
        self._clock = clock
        self._ids = ids
        self._books = {symbol: Book(symbol) for symbol in symbols}
        self._positions = dict.fromkeys(symbols, 0)
        self._orders: dict[bytes, OrderHandle] = {}
        self._ended: OrderedDict[bytes, OrderHandle] = OrderedDict()
        self._deferred: deque[tuple[OrderHandle, Rejected]] = deque()
        self._timers: dict[str, _Timer] = {}
        self._bars: dict[str, BarBuilder] = {}
        self._strategy: Strategy | None = None

    # -- the strategy's side ---------------------------------------------------------------------

    @property
    def may_open(self) -> bool:
        """True when new risk would pass the lease now."""
        return self.allowance.may_open(self._clock.boottime_ns())

    @property
    def working(self) -> list[OrderHandle]:
        """Orders that may still fill, oldest first."""
        return list(self._orders.values())

    def book(self, symbol: str) -> Book:
        """The book of a symbol that the phase listens to."""
        found = self._books.get(symbol)
        if found is None:
            raise _unknown_symbol(symbol, self._books)
        return found

    def instrument(self, symbol: str) -> Instrument:
        """Grid and limits of a symbol."""
        return self._instruments.get(symbol)

    def position_lots(self, symbol: str) -> int:
        """Own filled position, signed lots."""
        if symbol not in self._positions:
            raise _unknown_symbol(symbol, self._books)
        return self._positions[symbol]

    def every(self, name: str, interval_ns: int) -> None:
        """Register a timer in recorded time."""
        if interval_ns <= 0 or (name not in self._timers and len(self._timers) >= MAX_TIMERS):
            raise TitanError(
                code="TIMER_INVALID",
                message=f"timer {name}: not a positive interval, or one timer too many",
                field="interval_ns",
                value=str(interval_ns),
                limit=f"> 0, {MAX_TIMERS} timers",
                hint="Use fewer timers, or one timer and counters.",
            )
        self._timers[name] = _Timer(interval_ns, self.now_ns + interval_ns if self.now_ns else 0)

    def submit(self, intent: Intent) -> OrderHandle:
        """Give the intent its id and send it on its way."""
        decided_ns = self._clock.boottime_ns()
        intent_id = self._ids.intent_id()
        expires_ns = decided_ns + intent.ttl_ms * 1_000_000
        payload = encode_intent(intent, self.identity, intent_id, self._clock.unix_ns(), expires_ns)
        handle = OrderHandle(intent_id, intent, stamps=Stamps(decided_ns=decided_ns))
        self.counts.signals += 1
        if self._outbound.submit(LoggedIntent(intent_id, expires_ns, payload)):
            self._orders[intent_id] = handle
            self._outbound.publish(intent.symbol, intent_id, payload)
            return handle
        denial = Rejected(
            RejectReason.OVERLOADED,
            value=len(self._orders),
            limit=self._outbound.capacity,
            field="submit_queue",
            hint="Execution is slow or away; submit again later.",
            local=True,
        )
        self._deny(handle, denial)
        return handle

    def cancel(self, order: OrderHandle) -> None:
        """Ask to cancel; asked again at most each CANCEL_AGAIN_NS, for a cancel may die with a
        process.
        """
        now_ns = self._clock.boottime_ns()
        if order.done or now_ns - order.cancel_asked_ns < CANCEL_AGAIN_NS:
            return
        order.cancel_asked_ns = now_ns
        self.counts.cancels += 1
        self._outbound.cancel(order.intent_id)

    # -- the mesh's side -------------------------------------------------------------------------

    def bind(self, strategy: Strategy) -> None:
        """Attach the strategy; once, before any event."""
        assert self._strategy is None
        self._strategy = strategy
        if strategy.bar_interval_ns > 0:
            self._bars = {s: BarBuilder(s, strategy.bar_interval_ns) for s in self._books}

    @property
    def strategy(self) -> Strategy:
        """The bound strategy."""
        assert self._strategy is not None
        return self._strategy

    def start(self) -> None:
        """Call on_start."""
        self.strategy.on_start()
        self._settle()

    def stop(self) -> None:
        """Call on_stop."""
        self.strategy.on_stop()

    def find(self, intent_id: bytes) -> OrderHandle | None:
        """An order that works or ended lately."""
        return self._orders.get(intent_id) or self._ended.get(intent_id)

    def adopt(self, handle: OrderHandle) -> None:
        """Take over an order of an earlier run."""
        self._orders[handle.intent_id] = handle

    def remember(self, wire: ReportView) -> None:
        """Take a report of an earlier run: positions and adopted orders follow it, no handler is
        called.
        """
        if not self._is_news(wire):
            return
        if wire.phase_id != self.identity.phase_id or not wire.intent_id:
            return
        report = Report.from_wire(wire)
        self._fold_position(report)
        order = self._orders.get(report.intent_id)
        if order is not None:
            order.apply(report)
            if order.done:
                self._end(order)

    def on_book_update(self, symbol: str, update: BookChange) -> None:
        """Take one BookUpdate."""
        book = self._books.get(symbol)
        if book is None or not book.apply(update):
            return
        self.counts.books += 1
        self._advance(update.recorded_ns)
        if book.live:
            self.strategy.on_book(book)
        self._settle()

    def on_trade_print(self, wire: TradeView) -> None:
        """Take one TradePrint."""
        if wire.symbol not in self._books:
            return
        self.counts.trades += 1
        trade = Trade(
            symbol=wire.symbol,
            recorded_ns=wire.recorded_ns,
            event_time_ns=wire.event_time_ns,
            price_ticks=wire.price_ticks,
            qty_lots=wire.qty_lots,
            seller_is_taker=wire.seller_is_taker,
        )
        self._advance(trade.recorded_ns)
        builder = self._bars.get(trade.symbol)
        bar = builder.on_trade(trade) if builder is not None else None
        if bar is not None:
            self.strategy.on_bar(bar)
        self.strategy.on_trade(trade)
        self._settle()

    def on_execution_report(self, wire: ReportView) -> None:
        """Take one ExecutionReport: duplicates by LSN and other phases' reports are dropped."""
        if not self._is_news(wire):
            self.counts.duplicate_reports += 1
            return
        if wire.phase_id != self.identity.phase_id or not wire.intent_id:
            self.counts.foreign_reports += 1
            return
        self.counts.reports += 1
        report = Report.from_wire(wire)
        self._fold_position(report)
        order = self.find(report.intent_id)
        if order is None:
            return
        first = order.outcome is None
        order.apply(report)
        self.counts.accepted += first
        if order.done:
            self._end(order)
        elif self._ended.pop(order.intent_id, None) is not None:
            self._orders[order.intent_id] = order  # late evidence: it works after all
        self.strategy.on_report(order, report)
        self._settle()

    def _is_news(self, wire: ReportView) -> bool:
        """LSNs grow within an epoch; a new epoch may write some anew that a power cut took."""
        seen = (wire.epoch, wire.lsn)
        if seen <= (self.last_epoch, self.last_lsn):
            return False
        self.last_epoch, self.last_lsn = seen
        return True

    def _fold_position(self, report: Report) -> None:
        sign = _SIGN.get(report.kind)
        if sign is None or report.symbol not in self._positions:
            return
        self.counts.fills += report.kind is RecordKind.FILL
        lots = report.last_qty_lots if report.side is Side.BUY else -report.last_qty_lots
        self._positions[report.symbol] += sign * lots

    def on_outcome(self, intent_id: bytes, outcome: Outcome, stamps: Stamps) -> None:
        """Take the end of a submission."""
        order = self.find(intent_id)
        if order is None:
            return
        order.stamps = replace(stamps, decided_ns=order.stamps.decided_ns)
        if order.outcome is not None:
            return  # a report was faster than the answer
        if isinstance(outcome, Rejected):
            self._deny(order, outcome)
        else:
            order.outcome = outcome
            self.counts.accepted += 1
        self._settle()

    def on_cancel_refused(self, intent_id: bytes) -> None:
        """A cancel was refused while the order may still work: it may be asked again."""
        order = self._orders.get(intent_id)
        if order is not None:
            order.cancel_asked_ns = 0

    def on_risk_lease(self, lease: LeaseView) -> None:
        """Take one RiskLease; older ones are dropped."""
        seen = Allowance.from_lease(lease, self.identity.phase_id, self._clock.boottime_ns())
        if not seen.supersedes(self.allowance):
            return
        self.allowance = seen
        self.strategy.on_lease(seen)
        self._settle()

    # -- inside ----------------------------------------------------------------------------------

    def _advance(self, recorded_ns: int) -> None:
        if recorded_ns <= self.now_ns:
            return
        self.now_ns = recorded_ns
        for symbol, builder in self._bars.items():
            bar = builder.on_time(recorded_ns)
            if bar is not None:
                assert bar.symbol == symbol
                self.strategy.on_bar(bar)
        for name, timer in list(self._timers.items()):
            if timer.due_ns == 0:
                timer.due_ns = recorded_ns + timer.interval_ns
            elif recorded_ns >= timer.due_ns:
                timer.due_ns = recorded_ns + timer.interval_ns
                self.strategy.on_timer(name)

    def _deny(self, order: OrderHandle, denial: Rejected) -> None:
        order.outcome = denial
        name = denial.reason.name or str(int(denial.reason))
        self.counts.rejected[name] = self.counts.rejected.get(name, 0) + 1
        self._orders.pop(order.intent_id, None)
        self._deferred.append((order, denial))

    def _end(self, order: OrderHandle) -> None:
        if self._orders.pop(order.intent_id, None) is None:
            return
        self._outbound.closed(order.intent_id)
        self._ended[order.intent_id] = order
        if len(self._ended) > MAX_ENDED_ORDERS:
            self._ended.popitem(last=False)

    def _settle(self) -> None:
        """Deliver the denials that are waiting; those that arise meanwhile wait for the next
        event.
        """
        for _ in range(len(self._deferred)):
            order, denial = self._deferred.popleft()
            self.strategy.on_rejected(order, denial)


def _unknown_symbol(symbol: str, known: dict[str, Book]) -> TitanError:
    return TitanError(
        code="SYMBOL_UNKNOWN",
        message=f"this phase does not listen to {symbol}",
        field="symbol",
        value=symbol,
        limit=", ".join(sorted(known)),
        hint="Add it to `symbols` of the phase's section in titan.toml.",
    )
