"""Execution as the Brain sees it, without an engine: a journal behind real gRPC and a real bus.

Owns serving and publishing of an ExecJournal and the taking of leases and brakes. Must never
import the Brain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from titan import topology
from titan.execution.v1 import execution_control_service_pb2 as control
from titan.execution.v1 import execution_report_pb2 as report_pb
from titan.execution.v1 import execution_service_pb2 as service
from titan.execution.v1.execution_control_service_pb2_grpc import (
    ExecutionControlServiceServicer,
    add_ExecutionControlServiceServicer_to_server,
)
from titan.execution.v1.execution_service_pb2_grpc import (
    ExecutionServiceServicer,
    add_ExecutionServiceServicer_to_server,
)
from titan.risk.v1.lease_pb2 import RiskLease
from titan.risk.v1.trading_state_pb2 import (
    TRADING_STATE_DEFENSIVE,
    TRADING_STATE_HALTED,
)
from titan.truth.v1.truth_pb2 import PositionTruth, TruthSnapshot
from titan_mesh.bus import headers
from titan_mesh.bus.connection import Bus
from titan_mesh.bus.publisher import Publisher, Window, headers_of, subject_for
from titan_mesh.clock import SystemClock
from titan_mesh.errors import TitanError
from titan_mesh.rpc.server import RpcServer
from titan_mesh.settings import Endpoint
from titan_mesh.telemetry.logs import Log

from titan_testkit.exec_journal import ACCOUNT, ExecJournal


class _Orders(ExecutionServiceServicer):
    def __init__(self, owner: ExecStandIn) -> None:
        self._owner = owner

    async def ReplayReports(
        self, request: service.ReplayReportsRequest, context: Any
    ) -> AsyncIterator[service.ReplayReportsResponse]:
        reports = self._owner.journal.reports
        last = request.to_lsn or len(reports)
        self._owner.replays.append((request.from_lsn, last))
        for report in list(reports[request.from_lsn - 1 : last]):
            yield service.ReplayReportsResponse(report=report)


class _Control(ExecutionControlServiceServicer):
    def __init__(self, owner: ExecStandIn) -> None:
        self._owner = owner

    async def GrantLease(
        self, request: control.GrantLeaseRequest, context: Any
    ) -> control.GrantLeaseResponse:
        owner = self._owner
        owner.leases.append(request.lease)
        return control.GrantLeaseResponse(
            state=max(request.lease.state, TRADING_STATE_HALTED if owner.halted else 0),
            durable_lsn=len(owner.journal.reports),
            exec_epoch=owner.journal.epoch,
            halt_epoch=owner.journal.halt_epoch,
        )

    async def SetTradingState(
        self, request: control.SetTradingStateRequest, context: Any
    ) -> control.SetTradingStateResponse:
        owner, journal = self._owner, self._owner.journal
        owner.brakes.append(request)
        lsn = 0
        if request.state == TRADING_STATE_HALTED and not owner.halted:
            owner.halted = True
            lsn = journal.halt(request.cause, request.operator_id).lsn
        elif request.state == TRADING_STATE_DEFENSIVE and owner.halted:
            if request.halt_epoch != journal.halt_epoch:
                raise TitanError("HALT_EPOCH_OTHER", "another halt")
            owner.halted = False
            lsn = journal.resume().lsn
        return control.SetTradingStateResponse(
            state=TRADING_STATE_HALTED if owner.halted else TRADING_STATE_DEFENSIVE,
            halt_epoch=journal.halt_epoch,
            lsn=lsn,
        )

    async def DescribeState(
        self, request: control.DescribeStateRequest, context: Any
    ) -> control.DescribeStateResponse:
        journal = self._owner.journal
        return control.DescribeStateResponse(
            account=ACCOUNT, durable_lsn=len(journal.reports), exec_epoch=journal.epoch
        )


class ExecStandIn:
    """Serves and publishes one journal."""

    def __init__(
        self, journal: ExecJournal, bus: Bus, secrets: Mapping[str, bytes], log: Log
    ) -> None:
        self.journal = journal
        self.clock = SystemClock()
        self.leases: list[RiskLease] = []
        self.brakes: list[control.SetTradingStateRequest] = []
        self.replays: list[tuple[int, int]] = []
        self.halted = False
        self.snapshots = 0
        self._bus = bus
        self._secrets = secrets
        self._log = log
        self._server: RpcServer | None = None
        self.endpoint = Endpoint("127.0.0.1", 0)

    async def start(self) -> Endpoint:
        """Serve on the same port as before, a free one at first."""
        server = RpcServer(self.endpoint, self._secrets, self._log)
        server.add(
            add_ExecutionServiceServicer_to_server,
            _Orders(self),
            "titan.execution.v1.ExecutionService",
        )
        server.add(
            add_ExecutionControlServiceServicer_to_server,
            _Control(self),
            "titan.execution.v1.ExecutionControlService",
        )
        self._server = server
        self.endpoint = await server.start()
        return self.endpoint

    async def stop(self) -> None:
        """The service is gone; journal and bus stay."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def publish(self, reports: Sequence[report_pb.ExecutionReport]) -> None:
        """Reports as the outbox sends them, in the given order."""
        event = topology.EXECUTION_REPORT
        subject = subject_for(event, account=ACCOUNT)
        window = Window(self._bus)
        for tag, report in enumerate(reports, 1):
            facts = {headers.LSN: str(report.lsn), headers.EPOCH: str(report.epoch)}
            await window.send(
                subject,
                report.SerializeToString(),
                tag=tag,
                headers=headers_of(event, f"{ACCOUNT}:{report.lsn}:{tag}:{self.snapshots}", facts),
            )
        await window.flush()

    def snapshot(self, **facts: Any) -> TruthSnapshot:
        """A truth snapshot in which everything agrees, unless facts say otherwise."""
        journal = self.journal
        self.snapshots += 1
        rows = [
            PositionTruth(
                symbol="BTCUSDT",
                shadow_position_lots=journal.positions["BTCUSDT"],
                venue_position_lots=journal.positions["BTCUSDT"],
                venue_age_ns=1,
                book_age_ns=1,
                book_live=True,
                cash_nanos=journal.cash_nanos["BTCUSDT"],
                fee_nanos=journal.fee_nanos["BTCUSDT"],
                mid_half_ticks=1_200_001,
                comparable=True,
            )
        ]
        values: dict[str, Any] = {
            "account": ACCOUNT,
            "policy_hash": journal.policy_hash,
            "exec_epoch": journal.epoch,
            "as_of_lsn": len(journal.reports),
            "taken_at_ns": self.clock.unix_ns(),
            "snapshot_sequence": self.snapshots,
            "positions": rows,
            "open_orders": 0,
            "venue_open_orders": 0,
            "venue_connected": True,
            "ack_latency_ns": 1_000_000,
            "durable_lsn": len(journal.reports),
            "published_lsn": len(journal.reports),
            "identity": bytes(32),
        }
        return TruthSnapshot(**{**values, **facts})

    async def tell_truth(self, **facts: Any) -> None:
        """Publish a snapshot."""
        await Publisher(self._bus).publish(topology.TRUTH_SNAPSHOT, self.snapshot(**facts))
