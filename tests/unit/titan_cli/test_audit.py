"""The auditor finds what it is for: every planted loss, double and gap is counted."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from titan.brain.v1 import brain_service_pb2
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.trading.v1 import order_pb2
from titan.venue.v1 import order_log_pb2, venue_pb2
from titan_cli.demo import intent_log, journal, outcome, venue_log
from titan_cli.demo.audit import Audit, audit
from titan_cli.demo.intent_log import AuthorsRecord
from titan_cli.demo.kill import Kill
from titan_mesh.errors import TitanError

KIND = report_pb2


class World:
    """A small run that a test bends: journal, venue log, author, Brain."""

    def __init__(self) -> None:
        self.reports: list[report_pb2.ExecutionReport] = []
        self.entries: list[order_log_pb2.OrderLogEntry] = []
        self.author = AuthorsRecord()
        self.epoch = 1
        self.applied_lsn: int | None = None

    def record(self, kind: int, number: int, **fields: object) -> None:
        self.reports.append(
            report_pb2.ExecutionReport(
                lsn=len(self.reports) + 1,
                epoch=self.epoch,
                kind=kind,
                intent_id=bytes([number]) * 16,
                client_order_id=f"T1{number}",
                recorded_at_ns=len(self.reports) * 1_000_000,
                **fields,
            )
        )

    def venue(self, kind: int, number: int, **fields: object) -> None:
        self.entries.append(
            order_log_pb2.OrderLogEntry(
                sequence=len(self.entries) + 1, kind=kind, client_order_id=f"T1{number}", **fields
            )
        )

    def confirm(self, number: int) -> None:
        self.author.logged.add(bytes([number]) * 16)
        self.author.accepted.add(bytes([number]) * 16)
        self.record(KIND.RECORD_KIND_CONFIRMED, number)

    def take(self, number: int) -> None:
        order = venue_pb2.SubmitOrder(symbol="BTCUSDT", side=order_pb2.SIDE_BUY)
        self.venue(order_log_pb2.ORDER_LOG_KIND_ACCEPTED, number, order=order)

    def ack(self, number: int) -> None:
        self.record(KIND.RECORD_KIND_VENUE_ACK, number)

    def fill(self, number: int, trade: str, booked: int = 1) -> None:
        made = venue_pb2.Trade(trade_id=trade, fee_nanos=5, qty_lots=1, price_ticks=9)
        self.venue(order_log_pb2.ORDER_LOG_KIND_TRADE, number, trade=made)
        for _ in range(booked):
            self.book(number, trade)

    def book(self, number: int, trade: str) -> None:
        filled = order_pb2.ORD_STATUS_FILLED
        self.record(KIND.RECORD_KIND_FILL, number, trade_id=trade, ord_status=filled)

    def whole(self, number: int) -> None:
        self.confirm(number)
        self.take(number)
        self.ack(number)
        self.fill(number, f"t{number}")

    def funnel(self) -> brain_service_pb2.GetFunnelResponse:
        lsn = len(self.reports) if self.applied_lsn is None else self.applied_lsn
        fills = sum(1 for r in self.reports if r.kind == KIND.RECORD_KIND_FILL)
        return brain_service_pb2.GetFunnelResponse(
            applied_lsn=lsn, fills=fills, fee_nanos=5 * fills, approved=len(self.author.logged)
        )

    def audit(self) -> Audit:
        return audit(self.entries, journal.fold(self.reports), self.author, self.funnel())


@pytest.fixture
def world() -> World:
    world = World()
    for number in (1, 2, 3):
        world.whole(number)
    return world


def test_a_clean_run_has_nothing_lost_or_doubled(world: World) -> None:
    found = world.audit()
    assert (found.lost, found.duplicates, found.unbound) == ((), (), ())
    assert (found.venue_reports, found.applied_reports) == (6, 6)
    assert (found.venue_orders, found.venue_fills, found.venue_fee_nanos) == (3, 3, 15)


def test_a_promise_that_never_reached_the_venue_is_lost(world: World) -> None:
    world.confirm(9)
    assert len(world.audit().lost) == 1


@pytest.mark.parametrize(
    "kind",
    [KIND.RECORD_KIND_NOT_PLACED, KIND.RECORD_KIND_EXPIRED, KIND.RECORD_KIND_ABORTED],
)
def test_a_promise_that_ended_by_evidence_is_not_lost(world: World, kind: int) -> None:
    world.confirm(9)
    world.record(kind, 9)
    assert world.audit().lost == ()


def test_evidence_does_not_help_when_the_venue_has_the_order(world: World) -> None:
    world.confirm(9)
    world.record(KIND.RECORD_KIND_NOT_PLACED, 9)
    world.take(9)
    assert "forgotten" in world.audit().lost[0]
    world.record(KIND.RECORD_KIND_ADOPTED, 9)
    assert world.audit().lost == ()


def test_an_order_at_the_venue_that_the_record_forgot_is_lost(world: World) -> None:
    world.confirm(9)
    world.take(9)
    found = world.audit()
    assert len(found.lost) == 1
    assert found.applied_reports == found.venue_reports - 1


def test_an_acceptance_without_a_journal_record_is_lost(world: World) -> None:
    world.author.accepted.add(b"\x63" * 16)
    assert "not in the journal" in world.audit().lost[0]


def test_a_second_request_at_the_venue_is_a_duplicate(world: World) -> None:
    world.venue(order_log_pb2.ORDER_LOG_KIND_REJECTED, 2, reject_code="-2010")
    assert world.audit().duplicates == ("order T12: 2 requests at the venue",)


def test_a_fill_booked_twice_or_never_made_is_a_duplicate(world: World) -> None:
    world.book(1, "t1")
    world.book(2, "phantom")
    assert len(world.audit().duplicates) == 2


def test_an_order_without_a_promise_is_unbound(world: World) -> None:
    world.take(42)
    assert world.audit().unbound == ("T142",)


def test_what_the_brain_has_not_applied_does_not_count(world: World) -> None:
    world.applied_lsn = 8
    found = world.audit()
    assert found.applied_reports == found.venue_reports - 1


def test_a_fill_missing_from_the_record_is_not_applied(world: World) -> None:
    world.fill(1, "t9", booked=0)
    found = world.audit()
    assert found.applied_reports == found.venue_reports - 1


def test_the_kill_is_judged_by_the_epochs_of_the_answers(world: World) -> None:
    world.confirm(5)
    world.take(5)
    world.epoch = 2
    world.ack(5)
    world.whole(6)
    folded = journal.fold(world.reports)
    assert [p.confirmed.client_order_id for p in journal.unanswered_in(folded, 1)] == ["T15"]
    assert journal.unanswered_in(folded, 2) == []
    assert (journal.orders_filled_in(folded, 2), journal.orders_filled_in(folded, 1)) == (1, 3)


def evidence_of(world: World, kills: tuple[Kill, ...]) -> outcome.Evidence:
    return outcome.Evidence(
        world.entries, journal.fold(world.reports), world.audit(), world.funnel(), kills, 7, 96
    )


def test_conditions_hold_only_together(world: World) -> None:
    for number in range(10, 120):
        world.whole(number)
    world.confirm(5)
    world.take(5)
    world.epoch = 2
    world.ack(5)
    world.whole(6)
    kills = (Kill(0, 1, 1, 2),)
    assert [c.name for c in outcome.conditions(evidence_of(world, kills)) if not c.holds] == []
    assert not all(c.holds for c in outcome.conditions(evidence_of(world, ())))
    world.book(1, "t1")
    broken = [c.name for c in outcome.conditions(evidence_of(world, kills)) if not c.holds]
    assert broken == ["duplicates", "fills by the Brain", "fees by the Brain, nanos"]


def test_the_json_line_has_exactly_the_named_keys(world: World) -> None:
    line = outcome.json_line(evidence_of(world, ()), "ab", 1.234, "/r.html")
    assert (
        list(line)
        == (
            "lost duplicates signals approved prepared confirmed filled venue_reports "
            "applied_reports kills truth_score policy_hash net_pnl fees seconds report_path"
        ).split()
    )


def test_the_venue_log_reader_stops_at_a_torn_entry_and_refuses_damage(tmp_path: Path) -> None:
    body = order_log_pb2.OrderLogEntry(sequence=1, client_order_id="x" * 200).SerializeToString()
    assert len(body) > 127
    framed = bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body
    path = tmp_path / "orders.log"
    path.write_bytes(framed * 2 + framed[:50])
    assert [entry.sequence for entry in venue_log.read(path)] == [1, 1]
    tail = venue_log.LogTail(path)
    with path.open("ab") as file:
        file.write(framed[:10])
    assert tail.fresh() == []
    path.write_bytes(b"\xff\xff\xff\x7f" + framed)
    with pytest.raises(TitanError, match="ORDER_LOG_CORRUPT"):
        venue_log.read(path)


def test_the_tail_returns_each_entry_once(tmp_path: Path) -> None:
    path = tmp_path / "orders.log"
    body = order_log_pb2.OrderLogEntry(sequence=1).SerializeToString()
    framed = bytes([len(body)]) + body
    path.write_bytes(framed)
    tail = venue_log.LogTail(path)
    assert tail.fresh() == []
    with path.open("ab") as file:
        file.write(framed + framed[:1])
    assert len(tail.fresh()) == 1
    with path.open("ab") as file:
        file.write(framed[1:])
    assert len(tail.fresh()) == 1


def test_the_authors_log_is_read_with_its_torn_tail(tmp_path: Path) -> None:
    def framed(body: bytes) -> bytes:
        return struct.pack("<II", len(body), zlib.crc32(body)) + body

    one, two = b"\x01" * 16, b"\x02" * 16
    folder = tmp_path / "phases" / "scavenger"
    folder.mkdir(parents=True)
    (folder / "intents.log").write_bytes(
        intent_log.MAGIC
        + framed(b"\x01" + one + b"payload")
        + framed(b"\x01" + two + b"payload")
        + framed(b"\x02" + one + b"\x01" + bytes(8))
        + framed(b"\x02" + two + b"\x02" + bytes(8))
        + framed(b"\x01" + one)[:-3]
    )
    found = intent_log.read(tmp_path)
    assert found.logged == {one, two}
    assert found.accepted == {one}
