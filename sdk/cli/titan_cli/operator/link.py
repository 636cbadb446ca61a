"""Calls to a running mesh with deadlines and coded errors. Must never retry or start a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc
from titan.brain.v1 import brain_service_pb2 as brain_pb2
from titan.brain.v1 import brain_service_pb2_grpc, operator_service_pb2_grpc
from titan.brain.v1 import operator_service_pb2 as operator_pb2
from titan.execution.v1 import (
    execution_control_service_pb2 as control_pb2,
)
from titan.execution.v1 import (
    execution_control_service_pb2_grpc,
    execution_report_pb2,
    execution_service_pb2_grpc,
)
from titan.execution.v1 import execution_service_pb2 as execution_pb2
from titan_mesh import keys
from titan_mesh.errors import Unavailable
from titan_mesh.rpc.channel import open_channel

from titan_cli.home import settings_file
from titan_cli.home.layout import Home

CALL_SECONDS = 5.0
REPLAY_SECONDS = 30.0
PRINCIPAL = "operator"
Answer = TypeVar("Answer")


class Link:
    """Stubs of one home's services."""

    def __init__(self, execution: grpc.aio.Channel, brain: grpc.aio.Channel, account: str) -> None:
        self.account = account
        self._execution = execution_service_pb2_grpc.ExecutionServiceStub(execution)
        self._control = execution_control_service_pb2_grpc.ExecutionControlServiceStub(execution)
        self._brain = brain_service_pb2_grpc.BrainServiceStub(brain)
        self._operator = operator_service_pb2_grpc.OperatorServiceStub(brain)

    async def describe_state(self) -> control_pb2.DescribeStateResponse:
        """The edge at a glance."""
        call = self._control.DescribeState(control_pb2.DescribeStateRequest())
        return await _answered("execution", call)

    async def set_trading_state(
        self, request: control_pb2.SetTradingStateRequest
    ) -> control_pb2.SetTradingStateResponse:
        """The brake at the edge; HALTED needs no proof."""
        return await _answered("execution", self._control.SetTradingState(request))

    async def replay_reports(
        self, from_lsn: int, to_lsn: int = 0
    ) -> AsyncIterator[execution_report_pb2.ExecutionReport]:
        """The journal from an LSN to the newest durable one."""
        request = execution_pb2.ReplayReportsRequest(from_lsn=from_lsn, to_lsn=to_lsn)
        try:
            async for element in self._execution.ReplayReports(request, timeout=REPLAY_SECONDS):
                yield element.report
        except Unavailable as fault:
            raise _silent("execution", fault) from None

    async def get_allocation(self) -> brain_pb2.GetAllocationResponse:
        """State and lease."""
        call = self._brain.GetAllocation(brain_pb2.GetAllocationRequest())
        return await _answered("brain", call)

    async def get_truth(self) -> brain_pb2.GetTruthResponse:
        """The newest score."""
        return await _answered("brain", self._brain.GetTruth(brain_pb2.GetTruthRequest()))

    async def get_funnel(self) -> brain_pb2.GetFunnelResponse:
        """Counts from signal to fill."""
        return await _answered("brain", self._brain.GetFunnel(brain_pb2.GetFunnelRequest()))

    async def explain(self, identity: str) -> brain_pb2.ExplainDecisionResponse:
        """Everything on record about one id."""
        request = brain_pb2.ExplainDecisionRequest(id=identity)
        return await _answered("brain", self._brain.ExplainDecision(request))

    async def halt(self, request: operator_pb2.HaltRequest) -> operator_pb2.HaltResponse:
        """The brake through the Brain."""
        return await _answered("brain", self._operator.Halt(request))

    async def resume(self, request: operator_pb2.ResumeRequest) -> operator_pb2.ResumeResponse:
        """Lifts a halt."""
        return await _answered("brain", self._operator.Resume(request))


async def _answered(part: str, call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except Unavailable as fault:
        raise _silent(part, fault) from None


def _silent(part: str, fault: Unavailable) -> Unavailable:
    """Silence of the transport named after the part; an answer of the part is passed on."""
    if not fault.code.startswith("RPC_"):
        return fault
    return Unavailable(
        "SERVICE_UNREACHABLE",
        f"{part} does not answer",
        part,
        fault.code.removeprefix("RPC_"),
        f"{CALL_SECONDS:.0f} s",
        hint="Is the mesh up? See run/mesh.json and log/ in the home; titan up starts it.",
    )


@asynccontextmanager
async def connect(home: Home) -> AsyncIterator[Link]:
    """A link to the mesh of a home; HOME_MISSING when there is none."""
    settings = settings_file.read(home.toml)
    secret = keys.read_grpc_key(home.root, PRINCIPAL)
    edge, brain = (
        open_channel(
            settings_file.text_of(settings, part, "grpc"),
            principal=PRINCIPAL,
            secret=secret,
            timeout_s=CALL_SECONDS,
        )
        for part in ("execution", "brain")
    )
    async with edge, brain:
        yield Link(edge, brain, settings_file.text_of(settings, "mesh", "account"))
