"""An old SDK against a newer server: unknown fields and enum values are tolerated."""

from dataclasses import replace

from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.fastpath.v1 import frames_pb2
from titan.risk.v1 import lease_pb2
from titan_sdk import OrderHandle, PhaseConfig, RecordKind, Report, Strategy
from titan_sdk._pb import topology
from titan_sdk.submit import payloads
from titan_sdk.testing import Bench
from unit.titan_sdk.kit import ids, instruments

NEW_FIELDS = (
    b"\xf8\x3f\x07"  # field 1023, varint
    b"\xf2\x3f\x03new"  # 1022, bytes
    b"\xed\x3f\x01\x02\x03\x04"  # 1021, fixed32
    b"\xe1\x3f\x01\x02\x03\x04\x05\x06\x07\x08"  # 1020, fixed64
)


class Listener(Strategy):
    phase_id = "scavenger"

    def on_start(self) -> None:
        self.heard: list[Report] = []

    def on_report(self, order: OrderHandle, report: Report) -> None:
        self.heard.append(report)


def test_answers_with_new_fields_are_read() -> None:
    prepared = frames_pb2.Prepared(intent_id=bytes(range(16)), token=7).SerializeToString()
    assert payloads.read_token(prepared + NEW_FIELDS) == 7
    accepted = frames_pb2.Accepted(intent_id=bytes(range(16)), lsn=9, client_order_id="T1x")
    assert payloads.read_accepted(accepted.SerializeToString() + NEW_FIELDS).lsn == 9
    refused = frames_pb2.Refused()
    refused.rejection.reason = 250  # a reason of next year
    refused.rejection.hint = "Upgrade."
    denial = payloads.read_refused(refused.SerializeToString() + NEW_FIELDS)
    assert (int(denial.reason), denial.hint) == (250, "Upgrade.")
    assert "250" in str(denial) or "value" in str(denial)


def test_events_with_new_fields_and_values_reach_the_strategy() -> None:
    bench = Bench(Listener, PhaseConfig(), instruments(), ids=ids())
    bench.desk.start()
    order = bench.strategy.buy("BTCUSDT", qty_lots=5, price_ticks=600_000, rule="test")
    wire = report_pb2.ExecutionReport(
        lsn=1, epoch=1, exec_type=77, account="paper-main", policy_hash=bytes(32), ord_status=99,
        kind=report_pb2.RECORD_KIND_VENUE_ACK,
        intent_id=order.intent_id, phase_id="scavenger", symbol="BTCUSDT",
    )  # fmt: skip
    report = topology.EXECUTION_REPORT.decode(wire.SerializeToString() + NEW_FIELDS)
    bench.desk.on_execution_report(report)
    assert isinstance(bench.strategy, Listener)
    (heard,) = bench.strategy.heard
    assert (int(heard.exec_type), int(heard.ord_status), order.working) == (77, 99, True)
    bench.desk.on_execution_report(replace(report, lsn=2, kind=RecordKind.FILL, last_qty_lots=5))
    assert bench.strategy.heard[-1].is_fill

    lease = lease_pb2.RiskLease(
        account="paper-main", policy_hash=bytes(32), brain_epoch=1, lease_sequence=1, state=1,
        ttl_ms=3_000,
    )  # fmt: skip
    for name in ("hunter", "scavenger"):
        lease.budgets.add(phase_id=name, max_notional_nanos=10**12, allowed=True)
    bench.desk.on_risk_lease(topology.RISK_LEASE.decode(lease.SerializeToString() + NEW_FIELDS))
    assert bench.desk.may_open
