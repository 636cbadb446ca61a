"""A journal of Execution as tests need it: dense reports of a seeded, consistent trading day.

Owns the making of reports. Must never look at the Brain's fold: what it writes into a report
(cumulative quantities, positions) comes from its own plain sums.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from titan.execution.v1 import execution_report_pb2 as pb
from titan.risk.v1 import trading_state_pb2
from titan.trading.v1 import order_pb2

ACCOUNT = "paper-main"
PHASES = ("scavenger", "hunter")
SYMBOLS = ("BTCUSDT", "ETHUSDT")
HASH = bytes(range(32))
START_NS = 1_780_000_000_000_000_000


@dataclass
class Working:
    """An order that the journal knows."""

    intent_id: bytes
    client_order_id: str
    phase_id: str
    symbol: str
    side: int
    qty_lots: int
    price_ticks: int
    cum_lots: int = 0
    open: bool = True


@dataclass
class ExecJournal:
    """Reports by LSN, from 1."""

    seed: int = 7
    policy_hash: bytes = HASH
    symbols: tuple[str, ...] = SYMBOLS
    reports: list[pb.ExecutionReport] = field(default_factory=list)
    epoch: int = 0
    halt_epoch: int = 0
    positions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cash_nanos: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    fee_nanos: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    orders: list[Working] = field(default_factory=list)
    trades: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def add(self, kind: pb.RecordKind.ValueType, **facts: object) -> pb.ExecutionReport:
        """One record at the end."""
        if kind == pb.RECORD_KIND_EPOCH:
            self.epoch += 1
        report = pb.ExecutionReport(
            lsn=len(self.reports) + 1,
            epoch=self.epoch,
            kind=kind,
            account=ACCOUNT,
            policy_hash=self.policy_hash,
            recorded_at_ns=START_NS + len(self.reports) * 1_000_000,
            **facts,  # type: ignore[arg-type]
        )
        self.reports.append(report)
        return report

    def start(self) -> pb.ExecutionReport:
        """A new epoch."""
        return self.add(pb.RECORD_KIND_EPOCH, state=trading_state_pb2.TRADING_STATE_DEFENSIVE)

    def halt(self, cause: int, operator: str = "op-a") -> pb.ExecutionReport:
        """The brake."""
        self.halt_epoch += 1
        return self.add(
            pb.RECORD_KIND_HALT,
            state=trading_state_pb2.TRADING_STATE_HALTED,
            cause=cause,
            halt_epoch=self.halt_epoch,
            operator_id=operator,
            text="test",
        )

    def resume(self) -> pb.ExecutionReport:
        """The brake is lifted."""
        return self.add(
            pb.RECORD_KIND_RESUME,
            state=trading_state_pb2.TRADING_STATE_DEFENSIVE,
            cause=trading_state_pb2.BREAKER_CAUSE_OPERATOR,
            halt_epoch=self.halt_epoch,
        )

    def confirm(self, side: int = 0, qty_lots: int = 0, symbol: str = "") -> Working:
        """An accepted intent."""
        number = len(self.orders) + 1
        order = Working(
            intent_id=self.random.randbytes(16),
            client_order_id=f"T1{self.seed:04d}x{number:08d}",
            phase_id=self.random.choice(PHASES),
            symbol=symbol or self.random.choice(self.symbols),
            side=side or self.random.choice((order_pb2.SIDE_BUY, order_pb2.SIDE_SELL)),
            qty_lots=qty_lots or self.random.randint(1, 50),
            price_ticks=self.random.randint(590_000, 610_000),
        )
        self.orders.append(order)
        self._about(
            pb.RECORD_KIND_CONFIRMED,
            order,
            order_pb2.ORD_STATUS_PENDING_NEW,
            intent_digest=self.random.randbytes(32),
            send_imminent=True,
            brain_epoch=1,
            lease_sequence=1,
        )
        return order

    def about(self, kind: pb.RecordKind.ValueType, order: Working, status: int) -> None:
        """A record about an order that moves no money."""
        self._about(kind, order, status)

    def fill(self, order: Working, lots: int = 0) -> pb.ExecutionReport:
        """A fill of what is left, or of some lots."""
        lots = lots or order.qty_lots - order.cum_lots
        order.cum_lots += lots
        order.open = order.cum_lots < order.qty_lots
        signed = lots if order.side == order_pb2.SIDE_BUY else -lots
        price = order.price_ticks - self.random.randint(0, 20)
        fee = self.random.randint(-1_000, 900_000)
        self.positions[order.symbol] += signed
        self.cash_nanos[order.symbol] -= signed * price * 100_000
        self.fee_nanos[order.symbol] += fee
        self.trades += 1
        status = (
            order_pb2.ORD_STATUS_PARTIALLY_FILLED if order.open else order_pb2.ORD_STATUS_FILLED
        )
        return self._about(
            pb.RECORD_KIND_FILL,
            order,
            status,
            trade_id=f"t{self.trades}",
            last_qty_lots=lots,
            last_price_ticks=price,
            fee_nanos=fee,
            cum_qty_lots=order.cum_lots,
            leaves_qty_lots=order.qty_lots - order.cum_lots,
            position_lots=self.positions[order.symbol],
        )

    def trade_day(self, reports: int) -> list[pb.ExecutionReport]:
        """Random but consistent reports until there are that many."""
        if not self.reports:
            self.start()
        while len(self.reports) < reports:
            order = self.confirm()
            fate = self.random.random()
            if fate < 0.1:
                self.about(pb.RECORD_KIND_VENUE_REJECT, order, order_pb2.ORD_STATUS_REJECTED)
                order.open = False
                continue
            self.about(pb.RECORD_KIND_VENUE_ACK, order, order_pb2.ORD_STATUS_NEW)
            while order.open and self.random.random() < 0.8:
                self.fill(order, self.random.randint(1, order.qty_lots - order.cum_lots))
            if order.open:
                self.about(pb.RECORD_KIND_CANCELED, order, order_pb2.ORD_STATUS_CANCELED)
                order.open = False
            if fate > 0.99:
                self.start()
        return self.reports

    def _about(
        self, kind: pb.RecordKind.ValueType, order: Working, status: int, **facts: object
    ) -> pb.ExecutionReport:
        return self.add(
            kind,
            intent_id=order.intent_id,
            client_order_id=order.client_order_id,
            phase_id=order.phase_id,
            symbol=order.symbol,
            side=order.side,
            order_qty_lots=order.qty_lots,
            price_ticks=order.price_ticks,
            ord_status=status,
            **facts,
        )
