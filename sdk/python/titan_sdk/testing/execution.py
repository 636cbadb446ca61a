"""An Execution in one object: accepts intents and fills them on the desk's own books,
deterministically.

Owns a simple, stated fill model: an aggressive order takes what the book shows up to its price; a
resting one fills
when a public trade prints at a price beyond it, or the book crosses it. No queue, no impact: good
for testing logic, not
for judging a strategy. Must never know a network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from titan_mesh.clock import Clock

from titan_sdk.desk import Desk
from titan_sdk.intent import Intent, decode_intent
from titan_sdk.market import Trade
from titan_sdk.orders import Accepted, Rejected, Stamps
from titan_sdk.submit.intent_log import LoggedIntent
from titan_sdk.vocabulary import (
    ExecType,
    Liquidity,
    OrdStatus,
    RecordKind,
    RejectReason,
    Side,
    TimeInForce,
    TradingState,
)

Gate = Callable[[Intent], Rejected | None]


@dataclass(slots=True)
class SimulatedReport:
    """An ExecutionReport in plain Python, as the desk reads it."""

    lsn: int
    kind: RecordKind
    intent_id: bytes
    phase_id: str
    symbol: str
    side: Side
    exec_type: ExecType
    ord_status: OrdStatus
    client_order_id: str = ""
    last_qty_lots: int = 0
    last_price_ticks: int = 0
    cum_qty_lots: int = 0
    leaves_qty_lots: int = 0
    fee_nanos: int = 0
    position_lots: int = 0
    liquidity: Liquidity = Liquidity.UNSPECIFIED
    reject_reason: RejectReason = RejectReason.UNSPECIFIED
    epoch: int = 1
    recorded_at_ns: int = 0
    venue_code: str = ""
    text: str = ""
    restated: bool = False


@dataclass(frozen=True, slots=True)
class SimulatedBudget:
    """Budget of the simulated lease."""

    phase_id: str
    max_notional_nanos: int
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class SimulatedLease:
    """A RiskLease in plain Python."""

    lease_sequence: int
    budgets: tuple[SimulatedBudget, ...]
    state: TradingState = TradingState.NORMAL
    policy_hash: bytes = bytes(32)
    brain_epoch: int = 1
    cause: int = 0
    ttl_ms: int = 3_000
    truth_score: int = 100


@dataclass(slots=True)
class _Resting:
    intent_id: bytes
    intent: Intent
    leaves: int
    cum: int = 0


class FakeExecution:
    """The desk's Outbound, and the source of its reports. Nothing happens outside of step() and
    on_trade().
    """

    def __init__(self, clock: Clock, *, capacity: int = 64, gate: Gate | None = None) -> None:
        self.capacity = capacity
        self.published: list[bytes] = []
        self.intents: list[Intent] = []
        self.orders = 0
        self._clock = clock
        self._gate = gate
        self._queue: list[LoggedIntent] = []
        self._cancels: list[bytes] = []
        self._resting: dict[bytes, _Resting] = {}
        self._lsn = 0
        self._leases = 0
        self._desk: Desk | None = None

    def attach(self, desk: Desk) -> None:
        """Report to this desk."""
        self._desk = desk

    @property
    def desk(self) -> Desk:
        """The desk in charge."""
        assert self._desk is not None
        return self._desk

    # -- Outbound --------------------------------------------------------------------------------

    def submit(self, item: LoggedIntent) -> bool:
        """Queue until step()."""
        if len(self._queue) >= self.capacity:
            return False
        self._queue.append(item)
        return True

    def cancel(self, intent_id: bytes) -> None:
        """Queue until step()."""
        self._cancels.append(intent_id)

    def closed(self, intent_id: bytes) -> None:
        """Nothing is kept."""

    def publish(self, symbol: str, intent_id: bytes, payload: bytes) -> None:
        """Keep for the test to look at."""
        self.published.append(payload)

    # -- the simulation --------------------------------------------------------------------------

    def grant(self, budget_nanos: int = 10**15, state: TradingState = TradingState.NORMAL) -> None:
        """Send a lease."""
        self._leases += 1
        budget = SimulatedBudget(self.desk.identity.phase_id, budget_nanos)
        self.desk.on_risk_lease(SimulatedLease(self._leases, (budget,), state))

    def step(self) -> None:
        """Answer what was queued before the call, then match resting orders against the books."""
        queue, self._queue = self._queue, []
        cancels, self._cancels = self._cancels, []
        for item in queue:
            self._take(item)
        for intent_id in cancels:
            order = self._resting.pop(intent_id, None)
            if order is not None:
                self._report(order, RecordKind.CANCELED, ExecType.CANCELED, OrdStatus.CANCELED)
        for order in list(self._resting.values()):
            self._match(order, Liquidity.MAKER)

    def on_trade(self, trade: Trade) -> None:
        """Fill resting orders that a print went through."""
        for order in list(self._resting.values()):
            buy = order.intent.side is Side.BUY
            price = order.intent.price_ticks
            through = trade.price_ticks < price if buy else trade.price_ticks > price
            if order.intent.symbol == trade.symbol and through:
                self._fill(order, min(order.leaves, trade.qty_lots), price, Liquidity.MAKER)

    def _take(self, item: LoggedIntent) -> None:
        intent = decode_intent(item.payload)
        self.intents.append(intent)
        denial = self._gate(intent) if self._gate is not None else None
        stamps = Stamps(logged_ns=self._clock.boottime_ns(), accepted_ns=self._clock.boottime_ns())
        if denial is not None:
            self.desk.on_outcome(item.intent_id, denial, stamps)
            return
        self.orders += 1
        order = _Resting(item.intent_id, intent, intent.qty_lots)
        self._report(order, RecordKind.CONFIRMED, ExecType.PENDING_NEW, OrdStatus.PENDING_NEW)
        self.desk.on_outcome(item.intent_id, Accepted(self._lsn, f"T1{self._lsn}"), stamps)
        if intent.time_in_force is TimeInForce.POST_ONLY and self._crosses(intent):
            self._report(order, RecordKind.VENUE_REJECT, ExecType.REJECTED, OrdStatus.REJECTED)
            return
        self._report(order, RecordKind.VENUE_ACK, ExecType.NEW, OrdStatus.NEW)
        self._resting[item.intent_id] = order
        self._match(order, Liquidity.TAKER)
        if intent.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) and order.leaves:
            self._resting.pop(item.intent_id, None)
            self._report(order, RecordKind.CANCELED, ExecType.CANCELED, OrdStatus.CANCELED)

    def _crosses(self, intent: Intent) -> bool:
        book = self.desk.book(intent.symbol)
        if intent.side is Side.BUY:
            return intent.price_ticks >= book.best_ask_ticks
        return intent.price_ticks <= book.best_bid_ticks

    def _match(self, order: _Resting, liquidity: Liquidity) -> None:
        intent = order.intent
        book = self.desk.book(intent.symbol)
        if not book.live or not self._crosses(intent):
            return
        buy = intent.side is Side.BUY
        lots = min(order.leaves, book.takeable_lots(buy=buy, limit_ticks=intent.price_ticks))
        if liquidity is Liquidity.MAKER:
            price = intent.price_ticks
        else:
            price = book.best_ask_ticks if buy else book.best_bid_ticks
        if lots > 0:
            self._fill(order, lots, price, liquidity)

    def _fill(self, order: _Resting, lots: int, price: int, liquidity: Liquidity) -> None:
        order.leaves -= lots
        order.cum += lots
        whole = order.leaves == 0
        if whole:
            self._resting.pop(order.intent_id, None)
        status = OrdStatus.FILLED if whole else OrdStatus.PARTIALLY_FILLED
        self._report(
            order,
            RecordKind.FILL,
            ExecType.TRADE,
            status,
            lots=lots,
            price=price,
            liquidity=liquidity,
        )

    def _report(
        self,
        order: _Resting,
        kind: RecordKind,
        exec_type: ExecType,
        status: OrdStatus,
        *,
        lots: int = 0,
        price: int = 0,
        liquidity: Liquidity = Liquidity.UNSPECIFIED,
    ) -> None:
        self._lsn += 1
        report = SimulatedReport(
            lsn=self._lsn,
            kind=kind,
            intent_id=order.intent_id,
            phase_id=self.desk.identity.phase_id,
            symbol=order.intent.symbol,
            side=order.intent.side,
            exec_type=exec_type,
            ord_status=status,
            last_qty_lots=lots,
            last_price_ticks=price,
            cum_qty_lots=order.cum,
            leaves_qty_lots=order.leaves,
            liquidity=liquidity,
            recorded_at_ns=self._clock.unix_ns(),
        )
        self.desk.on_execution_report(report)
