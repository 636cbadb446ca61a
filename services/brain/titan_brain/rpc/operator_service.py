"""OperatorService: halt, resume, flatten.

Owns the order of things: restricting acts at the edge first and is recorded after, relaxing is
checked and recorded first. Must never lift a halt on its own word: Execution checks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import grpc
from titan.brain.v1 import operator_service_pb2 as pb
from titan.brain.v1.operator_service_pb2_grpc import OperatorServiceServicer
from titan.risk.v1.trading_state_pb2 import BREAKER_CAUSE_OPERATOR
from titan_mesh import operator_keys
from titan_mesh.clock import Clock
from titan_mesh.errors import AccessDenied, TitanError, Unavailable

from titan_brain.consumers.execution_report import ReportIntake
from titan_brain.edge import Edge
from titan_brain.leases.governor import Governor
from titan_brain.risk.resume import Trust, refusal

# The RESUME record usually comes over the bus at once; after this it is pulled from the journal.
RECORD_WAIT_S = 0.5
BRAKE_ATTEMPTS = 3

Context = grpc.aio.ServicerContext


class OperatorService(OperatorServiceServicer):
    """What operators may do."""

    def __init__(
        self,
        *,
        account: str,
        governor: Governor,
        edge: Edge,
        intake: ReportIntake,
        publics: Mapping[str, bytes],
        clock: Clock,
    ) -> None:
        self._account = account
        self._governor = governor
        self._edge = edge
        self._intake = intake
        self._publics = publics
        self._clock = clock
        self._resume = asyncio.Lock()

    async def Halt(
        self, request: pb.HaltRequest, context: Context[pb.HaltRequest, pb.HaltResponse]
    ) -> pb.HaltResponse:
        """Halts at the edge, then here; answers when it is true at the edge."""
        failure: TitanError | None = None
        for _ in range(BRAKE_ATTEMPTS):
            try:
                answer = await self._edge.halt(
                    request.operator_id, request.text, BREAKER_CAUSE_OPERATOR
                )
            except Unavailable as fault:
                failure = fault
                continue
            await self._governor.halt(request.operator_id, request.text, answer.halt_epoch)
            return pb.HaltResponse(state=answer.state, halt_epoch=answer.halt_epoch, lsn=answer.lsn)
        await self._governor.halt(request.operator_id, request.text, 0)
        raise Unavailable(
            "HALT_NOT_AT_EDGE",
            f"halted here, no lease is granted, but Execution does not answer: {failure}",
            "execution.grpc",
            "",
            "an answer of Execution",
            hint="The Brain keeps pressing; without a lease Execution is reduce-only in seconds.",
        )

    async def Resume(
        self, request: pb.ResumeRequest, context: Context[pb.ResumeRequest, pb.ResumeResponse]
    ) -> pb.ResumeResponse:
        """Lifts the newest halt when enough different operators signed its epoch."""
        async with self._resume:
            if self._governor.edge_pending:
                raise TitanError(
                    "HALT_NOT_AT_EDGE",
                    "the halt is not true at the edge yet and has no epoch to lift",
                    "halt_epoch",
                    request.halt_epoch,
                )
            trust = Trust(self._publics, self._clock.unix_ns(), operator_keys.verify)
            denial = refusal(
                self._governor.breaker, self._account, request.halt_epoch, request.signatures, trust
            )
            text = f"{denial.code}: {denial.message}" if denial else ""
            await self._governor.resuming(request.operator_id, request.text, text)
            if denial is not None:
                raise AccessDenied(
                    denial.code, denial.message, denial.field, denial.value, denial.limit
                )
            answer = await self._edge.resume(
                request.operator_id, request.text, request.halt_epoch, list(request.signatures)
            )
            await self._until_applied(answer.lsn)
            return pb.ResumeResponse(state=answer.state, halt_epoch=request.halt_epoch)

    async def Flatten(
        self, request: pb.FlattenRequest, context: Context[pb.FlattenRequest, pb.FlattenResponse]
    ) -> pb.FlattenResponse:
        """Closes everything at the edge."""
        answer = await self._edge.flatten(request.operator_id, request.text)
        return pb.FlattenResponse(flat=answer.flat, unverified=answer.unverified)

    async def ActivatePolicy(
        self,
        request: pb.ActivatePolicyRequest,
        context: Context[pb.ActivatePolicyRequest, pb.ActivatePolicyResponse],
    ) -> pb.ActivatePolicyResponse:
        """Not offered: a policy comes into force when both services start with its file."""
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "POLICY_ACTIVATION_UNSUPPORTED: put the file in place and restart Execution and Brain",
        )
        raise AssertionError("abort raises")

    async def _until_applied(self, lsn: int) -> None:
        if not lsn or not await self._intake.reached(lsn, RECORD_WAIT_S):
            await self._intake.catch_up(lsn)
        await self._governor.look()
