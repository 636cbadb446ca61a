"""The Brain's line to Execution: leases, brake, flatten, the record.

Owns the calls and their deadlines. Must never retry or decide; whoever calls knows what a failure
means.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc
from titan.execution.v1 import execution_control_service_pb2 as control
from titan.execution.v1 import execution_service_pb2 as service
from titan.execution.v1.execution_control_service_pb2_grpc import ExecutionControlServiceStub
from titan.execution.v1.execution_service_pb2_grpc import ExecutionServiceStub
from titan.risk.v1 import trading_state_pb2 as state_pb
from titan.risk.v1.lease_pb2 import RiskLease
from titan_mesh.errors import Unavailable

from titan_brain.store.ledger import MAX_BATCH, Delivered

GRANT_TIMEOUT_S = 1.0
BRAKE_TIMEOUT_S = 2.0
DESCRIBE_TIMEOUT_S = 2.0
FLATTEN_TIMEOUT_S = 30.0
# Longest silence inside a replay; its whole length depends on how much is replayed.
REPLAY_SILENCE_S = 5.0
BRAIN = "brain"
MAX_TEXT_CHARS = 128


def plain(text: str) -> str:
    """Text as the contract takes it: printable ASCII of bounded length."""
    return text.encode("ascii", "replace").decode()[:MAX_TEXT_CHARS] or "-"


class Edge:
    """Execution as the Brain sees it."""

    def __init__(self, channel: grpc.aio.Channel, account: str) -> None:
        self._account = account
        self._control = ExecutionControlServiceStub(channel)
        self._orders = ExecutionServiceStub(channel)

    async def grant(self, lease: RiskLease) -> control.GrantLeaseResponse:
        """Returns when the engine obeys the lease."""
        request = control.GrantLeaseRequest(lease=lease)
        return await self._control.GrantLease(request, timeout=GRANT_TIMEOUT_S)

    async def describe(self) -> control.DescribeStateResponse:
        """The state at the edge."""
        request = control.DescribeStateRequest()
        return await self._control.DescribeState(request, timeout=DESCRIBE_TIMEOUT_S)

    async def halt(
        self, operator_id: str, text: str, cause: state_pb.BreakerCause.ValueType
    ) -> control.SetTradingStateResponse:
        """Returns when the halt is true and durable at the edge."""
        request = control.SetTradingStateRequest(
            account=self._account,
            state=state_pb.TRADING_STATE_HALTED,
            operator_id=operator_id,
            text=plain(text),
            cause=cause,
        )
        return await self._control.SetTradingState(request, timeout=BRAKE_TIMEOUT_S)

    async def resume(
        self,
        operator_id: str,
        text: str,
        halt_epoch: int,
        signatures: Sequence[control.OperatorSignature],
    ) -> control.SetTradingStateResponse:
        """Lifts the halt of that epoch; the way back leads to DEFENSIVE."""
        request = control.SetTradingStateRequest(
            account=self._account,
            state=state_pb.TRADING_STATE_DEFENSIVE,
            operator_id=operator_id,
            text=plain(text),
            halt_epoch=halt_epoch,
            signatures=signatures,
            cause=state_pb.BREAKER_CAUSE_OPERATOR,
        )
        return await self._control.SetTradingState(request, timeout=BRAKE_TIMEOUT_S)

    async def flatten(self, operator_id: str, text: str) -> control.FlattenResponse:
        """Ends when the venue says flat."""
        request = control.FlattenRequest(
            account=self._account, operator_id=operator_id, text=plain(text)
        )
        return await self._control.Flatten(request, timeout=FLATTEN_TIMEOUT_S)

    async def replay(self, from_lsn: int, to_lsn: int) -> AsyncIterator[list[Delivered]]:
        """The journal's reports of a range, in batches; to_lsn 0 = the newest durable one."""
        request = service.ReplayReportsRequest(from_lsn=from_lsn, to_lsn=to_lsn)
        stream = aiter(self._orders.ReplayReports(request))
        batch: list[Delivered] = []
        while True:
            try:
                async with asyncio.timeout(REPLAY_SILENCE_S):
                    answer = await anext(stream, None)
            except TimeoutError:
                raise Unavailable(
                    "REPLAY_SILENT",
                    "Execution went silent during a replay",
                    "from_lsn",
                    from_lsn,
                    f"{REPLAY_SILENCE_S} s",
                ) from None
            if answer is None:
                break
            batch.append(Delivered(answer.report, answer.report.SerializeToString()))
            if len(batch) == MAX_BATCH:
                yield batch
                batch = []
        if batch:
            yield batch
