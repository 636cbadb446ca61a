"""The fold: one report after the other into orders, fills and positions.

Owns what a report does to the Brain's picture; the store and the tests use this one function. Pure.
Must never skip a report: what cannot be applied raises Unapplicable, and the account stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from titan.execution.v1 import execution_report_pb2 as pb
from titan.trading.v1 import order_pb2

from titan_brain.ledger.book import Book, order_key_of
from titan_brain.ledger.rows import Fill, Order

_KINDS: Final = frozenset(pb.RecordKind.values()) - {pb.RECORD_KIND_UNSPECIFIED}
_SIDES: Final = {order_pb2.SIDE_BUY: 1, order_pb2.SIDE_SELL: -1}
INT64_MAX: Final = (1 << 63) - 1


class Unapplicable(Exception):
    """A report that the ledger cannot take: a code, and what was found against what was needed."""

    def __init__(self, code: str, lsn: int, detail: str) -> None:
        super().__init__(f"{code}: report {lsn}: {detail}")
        self.code = code
        self.lsn = lsn
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A report that was applied although it contradicts the sums of the others."""

    code: str
    lsn: int
    symbol: str
    found: int
    expected: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Constants of the account that the fold needs: venue, and money of one tick times one lot."""

    account: str
    venue: str
    nanos_per_tick_lot: Mapping[str, int]


@dataclass(slots=True)
class Effects:
    """What a batch did beyond its rows."""

    anomalies: list[Anomaly] = field(default_factory=list)
    epochs: list[tuple[int, int, int]] = field(default_factory=list)
    edge_changed: bool = False


def apply(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    """Applies the report with LSN applied+1; raises Unapplicable and changes nothing otherwise."""
    _check(book, grid, report)
    handler = _HANDLERS.get(report.kind)
    if handler is not None:
        handler(book, grid, report, effects)
    cursor = book.cursor
    cursor.applied_lsn = report.lsn
    cursor.epoch = report.epoch


def _refuse(code: str, report: pb.ExecutionReport, detail: str) -> Unapplicable:
    return Unapplicable(code, report.lsn, detail)


def _check(book: Book, grid: Grid, report: pb.ExecutionReport) -> None:
    cursor = book.cursor
    if report.account != grid.account:
        raise _refuse("ACCOUNT_OTHER", report, f"account {report.account!r}, not {grid.account!r}")
    if report.kind not in _KINDS:
        raise _refuse("KIND_UNKNOWN", report, f"kind {report.kind}")
    if report.lsn != cursor.applied_lsn + 1:
        raise _refuse("LSN_NOT_NEXT", report, f"after {cursor.applied_lsn}")
    if report.epoch < max(cursor.epoch, 1):
        raise _refuse("EPOCH_BACKWARDS", report, f"epoch {report.epoch} after {cursor.epoch}")
    if report.epoch > cursor.epoch and report.kind != pb.RECORD_KIND_EPOCH:
        raise _refuse("EPOCH_UNANNOUNCED", report, f"epoch {report.epoch} after {cursor.epoch}")


def _on_epoch(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    effects.epochs.append((report.epoch, report.lsn, report.recorded_at_ns))


def _on_brake(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    cursor = book.cursor
    cursor.halted = int(report.kind == pb.RECORD_KIND_HALT)
    cursor.halt_epoch = max(cursor.halt_epoch, report.halt_epoch)
    if cursor.halted:
        cursor.halt_cause = report.cause
        cursor.halt_operator = report.operator_id
        cursor.halt_text = report.text
    else:
        cursor.resumed_lsn = report.lsn
    effects.edge_changed = True


def _on_order(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    _touch(book, report)


def _on_confirmed(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    if not report.intent_id or not report.client_order_id:
        raise _refuse("CONFIRMED_WITHOUT_ID", report, "intent_id and client_order_id are required")
    known = book.find_order(report.intent_id, "", "")
    if known is not None and known.confirmed_lsn:
        raise _refuse("CONFIRMED_TWICE", report, f"first in report {known.confirmed_lsn}")
    order = _touch(book, report)
    order.confirmed_lsn = report.lsn
    order.confirmed_at_ns = report.recorded_at_ns
    order.brain_epoch = report.brain_epoch
    order.lease_sequence = report.lease_sequence


def _on_external(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    _touch(book, report).external = 1


def _touch(book: Book, report: pb.ExecutionReport) -> Order:
    """The order of a report, brought to what the report says of its state."""
    ids = report.intent_id, report.client_order_id, report.venue_order_id
    order = book.find_order(*ids)
    if order is None:
        if not any(ids):
            raise _refuse("ORDER_UNNAMED", report, "no intent, client or venue id")
        order = Order(
            order_key_of(*ids), report.intent_id, report.client_order_id, report.venue_order_id,
            report.phase_id, report.symbol, report.side, report.order_qty_lots,
            report.price_ticks, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        )  # fmt: skip
        book.put_order(order)
    if report.venue_order_id and not order.venue_order_id:
        order.venue_order_id = report.venue_order_id
    if report.client_order_id and not order.client_order_id:
        order.client_order_id = report.client_order_id
        book.put_order(order)
    if report.ord_status:
        order.ord_status = report.ord_status
    if report.kind in _VENUE_TOOK_IT:
        order.acknowledged = 1
    order.last_lsn = report.lsn
    book.changed_orders.add(order.order_key)
    return order


def _on_fill(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    per_tick_lot = grid.nanos_per_tick_lot.get(report.symbol)
    if per_tick_lot is None:
        raise _refuse("SYMBOL_UNKNOWN", report, f"symbol {report.symbol!r} has no specification")
    if report.side not in _SIDES or report.last_qty_lots < 1 or report.last_price_ticks < 1:
        raise _refuse(
            "FILL_INVALID",
            report,
            f"side {report.side}, {report.last_qty_lots} lots at {report.last_price_ticks} ticks",
        )
    if not report.trade_id:
        raise _refuse("FILL_WITHOUT_TRADE_ID", report, "trade_id is the key of deduplication")
    key = grid.venue, grid.account, report.symbol, report.trade_id
    known = book.fills.get(key)
    if known is not None:
        _require_same(known, report)
        return
    money = report.last_price_ticks * report.last_qty_lots * per_tick_lot
    held = book.position(report.phase_id, report.symbol)
    if max(money + abs(held.cash_nanos), abs(report.fee_nanos) + abs(held.fee_nanos)) > INT64_MAX:
        raise _refuse("MONEY_OVERFLOW", report, f"{money} nanos on top of {held.cash_nanos}")
    order = _touch(book, report)
    book.fills[key] = Fill(
        *key, order.order_key, report.intent_id, report.phase_id, report.side,
        report.last_qty_lots, report.last_price_ticks, report.fee_nanos, report.liquidity,
        report.venue_time_ns, report.lsn, 0,
    )  # fmt: skip
    book.changed_fills.add(key)
    _post(book, order, book.fills[key], per_tick_lot, report.lsn)
    _cross_check(book, order, report, effects)


def _require_same(known: Fill, report: pb.ExecutionReport) -> None:
    """A repeated trade key is dropped when it is the same fill, and poison when it is another."""
    told = report.side, report.last_qty_lots, report.last_price_ticks, report.fee_nanos
    if told != (known.side, known.qty_lots, known.price_ticks, known.fee_nanos):
        raise _refuse("TRADE_CONFLICT", report, f"trade {known.trade_id} of report {known.lsn}")


def _on_bust(book: Book, grid: Grid, report: pb.ExecutionReport, effects: Effects) -> None:
    key = grid.venue, grid.account, report.symbol, report.trade_id
    fill = book.fills.get(key)
    if fill is None or fill.busted_lsn:
        raise _refuse("BUST_OF_NOTHING", report, f"trade {report.trade_id!r} of {report.symbol!r}")
    order = _touch(book, report)
    fill.busted_lsn = report.lsn
    book.changed_fills.add(key)
    _post(book, order, fill, -grid.nanos_per_tick_lot[fill.symbol], report.lsn)
    _cross_check(book, order, report, effects)


def _post(book: Book, order: Order, fill: Fill, per_tick_lot: int, lsn: int) -> None:
    """Adds a fill to its order and position; a negative per_tick_lot takes it out again."""
    direction = 1 if per_tick_lot > 0 else -1
    side = _SIDES[order_pb2.Side.ValueType(fill.side)]
    position = book.position(fill.phase_id, fill.symbol)
    position.position_lots += direction * side * fill.qty_lots
    position.cash_nanos -= side * fill.qty_lots * fill.price_ticks * per_tick_lot
    position.fee_nanos += direction * fill.fee_nanos
    position.last_price_ticks = fill.price_ticks
    position.last_lsn = lsn
    book.changed_positions.add((fill.phase_id, fill.symbol))
    order.cum_qty_lots += direction * fill.qty_lots
    order.acknowledged = 1


def _cross_check(book: Book, order: Order, report: pb.ExecutionReport, effects: Effects) -> None:
    """What Execution summed up must be what we summed up; fills themselves are always real."""
    found = effects.anomalies
    if order.qty_lots and order.cum_qty_lots > order.qty_lots:
        found.append(
            Anomaly("OVERFILL", report.lsn, order.symbol, order.cum_qty_lots, order.qty_lots)
        )
    if order.cum_qty_lots != report.cum_qty_lots:
        found.append(
            Anomaly("CUM_DRIFT", report.lsn, order.symbol, report.cum_qty_lots, order.cum_qty_lots)
        )
    own = book.position_lots(report.symbol)
    if own != report.position_lots:
        found.append(
            Anomaly("POSITION_DRIFT", report.lsn, report.symbol, report.position_lots, own)
        )


_VENUE_TOOK_IT: Final = frozenset(
    {pb.RECORD_KIND_VENUE_ACK, pb.RECORD_KIND_FILL, pb.RECORD_KIND_ADOPTED}
)

Handler = Callable[[Book, Grid, pb.ExecutionReport, Effects], None]

# Kinds that are missing here (POLICY, TRADING_STATE) move nothing but the cursor.
_HANDLERS: Final[Mapping[int, Handler]] = {
    pb.RECORD_KIND_EPOCH: _on_epoch,
    pb.RECORD_KIND_CONFIRMED: _on_confirmed,
    pb.RECORD_KIND_SEND_BEGIN: _on_order,
    pb.RECORD_KIND_VENUE_ACK: _on_order,
    pb.RECORD_KIND_VENUE_REJECT: _on_order,
    pb.RECORD_KIND_FILL: _on_fill,
    pb.RECORD_KIND_BUST: _on_bust,
    pb.RECORD_KIND_CANCEL_REQUEST: _on_order,
    pb.RECORD_KIND_CANCELED: _on_order,
    pb.RECORD_KIND_CANCEL_REJECT: _on_order,
    pb.RECORD_KIND_UNKNOWN: _on_order,
    pb.RECORD_KIND_QUERY_EVIDENCE: _on_order,
    pb.RECORD_KIND_NOT_PLACED: _on_order,
    pb.RECORD_KIND_ADOPTED: _on_order,
    pb.RECORD_KIND_EXPIRED: _on_order,
    pb.RECORD_KIND_ABORTED: _on_order,
    pb.RECORD_KIND_HALT: _on_brake,
    pb.RECORD_KIND_RESUME: _on_brake,
    pb.RECORD_KIND_EXTERNAL: _on_external,
}
