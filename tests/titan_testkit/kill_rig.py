"""Execution killed at random instants under load, and what must hold afterwards.

Owns load, kills and the audit against the venue's log. Must never trust Execution about itself
where the venue, the journal files or the clients' own notes can say it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from contract.reference import journal as journal_twin
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.execution.v1 import execution_service_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.trading.v1 import order_pb2
from titan.venue.v1 import order_log_pb2
from titan_mesh.errors import TitanError, Unavailable

from titan_testkit.edge import Edge
from titan_testkit.incarnations import Incarnations
from titan_testkit.mesh import Mesh, until
from titan_testkit.paper import ASK_TICKS, BID_TICKS, SYMBOL

CLIENTS = 3
ACCEPTED_MIN = 20
WAIT_S = 20.0
ACK_DELAY_NS = 8_000_000
OUTCOMES = frozenset(
    {
        report_pb2.RECORD_KIND_VENUE_ACK,
        report_pb2.RECORD_KIND_VENUE_REJECT,
        report_pb2.RECORD_KIND_FILL,
        report_pb2.RECORD_KIND_CANCELED,
        report_pb2.RECORD_KIND_NOT_PLACED,
    }
)
TAKEN = (order_log_pb2.ORDER_LOG_KIND_ACCEPTED, order_log_pb2.ORDER_LOG_KIND_REJECTED)


class Broken(AssertionError):
    """A guarantee that did not hold."""


@dataclass
class Promise:
    """What a client was told."""

    intent_id: bytes
    lsn: int
    client_order_id: str


@dataclass
class Fold:
    """Position and money of one symbol from a list of fills."""

    position_lots: int = 0
    cash_nanos: int = 0
    fee_nanos: int = 0

    def fill(self, side: int, lots: int, ticks: int, fee_nanos: int, per_tick_lot: int) -> None:
        """One fill."""
        sign = 1 if side == order_pb2.SIDE_BUY else -1
        self.position_lots += sign * lots
        self.cash_nanos -= sign * lots * ticks * per_tick_lot
        self.fee_nanos += fee_nanos


class Client(threading.Thread):
    """One FastPath session that trades until its server dies."""

    def __init__(self, edge: Edge, seed: int) -> None:
        super().__init__(daemon=True)
        self._edge = edge
        self._random = random.Random(seed)
        self.promises: list[Promise] = []
        self.refused: Counter[int] = Counter()
        self.fault: BaseException | None = None
        self._side = seed % 2

    def run(self) -> None:
        """Buys and sells in turn; one order in eight rests and is cancelled by the next."""
        try:
            with self._edge.fastpath() as session:
                resting = b""
                while True:
                    if resting:
                        session.cancel(resting)
                    resting = self._one(session)
        except (TitanError, OSError):
            return
        except BaseException as fault:
            # The main thread raises it.
            self.fault = fault

    def _one(self, session: object) -> bytes:
        rests = self._random.random() < 0.125
        self._side ^= 1
        side = order_pb2.SIDE_BUY if self._side else order_pb2.SIDE_SELL
        touch = ASK_TICKS if self._side else BID_TICKS
        intent = self._edge.intent(
            side=side,
            price_ticks=(BID_TICKS - 3 if self._side else ASK_TICKS + 3) if rests else touch,
            time_in_force=(order_pb2.TIME_IN_FORCE_GTC if rests else order_pb2.TIME_IN_FORCE_IOC),
            qty_lots=self._random.randrange(2, 5),
        )
        answer = session.submit(intent)  # type: ignore[attr-defined]
        if isinstance(answer, frames.Accepted):
            self.promises.append(
                Promise(bytes(answer.intent_id), answer.lsn, answer.client_order_id)
            )
            return intent.intent_id if rests else b""
        self.refused[answer.rejection.reason] += 1
        return b""


@dataclass
class KillRig:
    """A mesh without phases, one Execution after another."""

    root: Path
    seed: int
    plant: str = ""
    promises: list[Promise] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.mesh = Mesh(self.root, {"execution.segment_bytes": 4 << 20})
        _loosen(self.mesh.home.policy)
        self.edge = Edge(self.mesh)
        # Above every epoch a real Brain of this test will have: its leases are not obeyed.
        self.edge.brain_epoch = 1_000_000
        arguments = []
        if self.plant:
            (self.root / "allow-planted-bugs").touch()
            arguments = ["--plant", self.plant]
        self.execution = Incarnations(
            self.mesh.home.root, self.mesh.home.log("execution"), *arguments
        )

    def open(self, bus: bool) -> None:
        """Starts what Execution needs."""
        self.mesh.start(*(["nats"] if bus else []), "venue")
        self.edge.market.faults(ack_delay_ns=ACK_DELAY_NS)

    def close(self) -> None:
        """Ends everything."""
        self.execution.close()
        self.edge.close()
        self.mesh.close()

    # ---- load and kills ------------------------------------------------------------------------

    def live_and_die(self, number: int) -> None:
        """One incarnation: ready, loaded, killed at a random instant."""
        self._ready()
        clients = [Client(self.edge, self.seed * 1000 + number * 10 + i) for i in range(CLIENTS)]
        for client in clients:
            client.start()
        deadline = time.monotonic() + WAIT_S
        while sum(len(client.promises) for client in clients) < ACCEPTED_MIN:
            if time.monotonic() > deadline or not any(client.is_alive() for client in clients):
                faults = [client.fault for client in clients]
                refused = [dict(client.refused) for client in clients]
                raise Broken(
                    f"incarnation {number} accepted too little: {refused} {faults}\n"
                    + self.execution.tail()
                )
            time.sleep(0.001)
        # The random instant: no state is waited for.
        killer = threading.Timer(self.random.uniform(0.0, 0.012), self.execution.kill)
        killer.start()
        killer.join()
        for client in clients:
            client.join(WAIT_S)
            if client.fault is not None:
                raise client.fault
            self.promises += client.promises
            self.refused.update(client.refused)
        self.accepted.append(sum(len(client.promises) for client in clients))

    def die_young(self) -> None:
        """One incarnation killed somewhere between its first instruction and its first order."""
        self.execution.start()
        killer = threading.Timer(self.random.uniform(0.0, 0.2), self.execution.kill)
        killer.start()
        killer.join()

    def _ready(self) -> None:
        """Starts the next incarnation; ready means leased, reconciled, with a book."""
        self.execution.start()
        until("Execution is open", self._opened, WAIT_S)

    def _opened(self) -> bool:
        try:
            self.edge.open()
        except Unavailable:
            return False  # the channel still held the dead one's socket
        return True

    def settle(self) -> None:
        """A last incarnation, unharmed: every order comes to its end."""
        self._ready()

        def quiet() -> bool:
            seen = self.edge.describe()
            working = seen.open_orders or seen.venues[0].unknown_orders
            if working:
                self._cancel_resting()
            return not working

        until("every order has ended", quiet, WAIT_S)

    def _cancel_resting(self) -> None:
        with self.edge.fastpath() as session:
            for order in self._open_orders():
                session.cancel(order)

    def _open_orders(self) -> list[bytes]:
        request = execution_service_pb2.ListOrdersRequest(open_only=True, page_size=1000)
        listed = self.edge.call(self.edge.orders.ListOrders, request)
        return [order.intent_id for order in listed.orders]

    # ---- the audit -----------------------------------------------------------------------------

    def journal(self) -> list[report_pb2.ExecutionReport]:
        """The journal's files, read by the slow twin."""
        records = journal_twin.read(self.mesh.home.root / "journal").records
        return [report_pb2.ExecutionReport.FromString(record.body) for record in records]

    def audit(self) -> Fold:
        """Every promise against journal and venue; the venue's own fold."""
        reports = self.journal()
        self.audit_promises()
        fold = self._venue_fold(reports)
        ours = self._journal_fold(reports)
        if ours != fold:
            raise Broken(f"reports fold to {ours}, the venue's log to {fold}")
        return fold

    def audit_promises(self) -> None:
        """The cheap half of the audit, between two incarnations."""
        reports = self.journal()
        self._every_promise_is_kept(reports)
        self._at_most_one_request(reports)

    def _every_promise_is_kept(self, reports: list[report_pb2.ExecutionReport]) -> None:
        by_lsn = {report.lsn: report for report in reports}
        for promise in self.promises:
            report = by_lsn.get(promise.lsn)
            if (
                report is None
                or report.kind != report_pb2.RECORD_KIND_CONFIRMED
                or report.intent_id != promise.intent_id
                or report.client_order_id != promise.client_order_id
            ):
                raise Broken(f"ACCEPTED but not in the journal: {promise}")

    def _at_most_one_request(self, reports: list[report_pb2.ExecutionReport]) -> None:
        requests = Counter(e.client_order_id for e in self.edge.market.log() if e.kind in TAKEN)
        twice = [name for name, count in requests.items() if count > 1]
        if twice:
            raise Broken(f"sent more than once: {twice[:3]} and {len(twice)} in all")
        confirmed = {
            report.client_order_id
            for report in reports
            if report.kind == report_pb2.RECORD_KIND_CONFIRMED
        }
        foreign = requests.keys() - confirmed
        if foreign:
            raise Broken(f"sent but never confirmed: {sorted(foreign)[:3]}")

    def _venue_fold(self, reports: list[report_pb2.ExecutionReport]) -> Fold:
        sides: dict[str, int] = {}
        fold = Fold()
        for entry in self.edge.market.log():
            if entry.kind == order_log_pb2.ORDER_LOG_KIND_ACCEPTED:
                sides[entry.client_order_id] = entry.order.side
            if entry.kind == order_log_pb2.ORDER_LOG_KIND_TRADE:
                trade = entry.trade
                fold.fill(
                    sides[entry.client_order_id],
                    trade.qty_lots,
                    trade.price_ticks,
                    trade.fee_nanos,
                    self._per_tick_lot(),
                )
        return fold

    def _journal_fold(self, reports: list[report_pb2.ExecutionReport]) -> Fold:
        fold = Fold()
        for report in reports:
            if report.kind == report_pb2.RECORD_KIND_FILL:
                fold.fill(
                    report.side,
                    report.last_qty_lots,
                    report.last_price_ticks,
                    report.fee_nanos,
                    self._per_tick_lot(),
                )
        return fold

    def _per_tick_lot(self) -> int:
        spec = json.loads((self.mesh.home.instruments / f"{SYMBOL}.json").read_text())
        return int(spec["notional_nanos_per_tick_lot"])

    def kills_inside_an_order(self) -> int:
        """Epochs that ended with a confirmed order the venue had not answered."""
        waiting: dict[int, set[str]] = defaultdict(set)
        last = 0
        for report in self.journal():
            last = report.epoch
            if report.kind == report_pb2.RECORD_KIND_CONFIRMED:
                waiting[report.epoch].add(report.client_order_id)
            elif report.kind in OUTCOMES:
                waiting[report.epoch].discard(report.client_order_id)
        return sum(1 for epoch, orders in waiting.items() if orders and epoch != last)


def _loosen(path: Path) -> None:
    """The policy of paper with room for a load test; its hash follows from the file."""
    policy = json.loads(path.read_text())
    policy["account"]["max_messages_per_second"] = 1_000_000
    policy["instruments"][0]["max_open_orders"] = 4_096
    policy["instruments"][0]["max_book_age_ms"] = 600_000
    policy["restarts"]["max_restarts"] = 100_000
    path.write_text(json.dumps(policy))
