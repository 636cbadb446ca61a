"""The edge of every service, through a real server and a real channel."""

from __future__ import annotations

import io

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from titan.execution.v1 import execution_service_pb2 as pb
from titan.execution.v1.execution_report_pb2 import ExecutionReport
from titan.execution.v1.execution_service_pb2_grpc import (
    ExecutionServiceServicer,
    ExecutionServiceStub,
    add_ExecutionServiceServicer_to_server,
)
from titan.trading.v1.reject_reason_pb2 import Rejection, RejectReason
from titan_mesh import keys
from titan_mesh.clock import ManualClock
from titan_mesh.errors import AccessDenied, Conflict, InvalidMessage, NotFound, TitanError
from titan_mesh.rpc import caller
from titan_mesh.rpc.channel import open_channel
from titan_mesh.rpc.server import RpcServer
from titan_mesh.rpc.status import Denied
from titan_mesh.settings import Endpoint
from titan_mesh.telemetry.logs import Log

SECRETS = {name: bytes([index]) * 32 for index, name in enumerate(("scavenger", "brain"), 1)}
SERVICE = "titan.execution.v1.ExecutionService"
INTENT_ID = bytes(range(16))


class Servicer(ExecutionServiceServicer):
    """Answers that depend on the request alone."""

    def __init__(self) -> None:
        self.callers = []

    async def GetOrder(self, request, context):
        self.callers.append(caller.current())
        if request.intent_id == bytes(16):
            raise NotFound("ORDER_UNKNOWN", "no such order", "intent_id", request.intent_id.hex())
        if request.intent_id == b"\xff" * 16:
            raise RuntimeError("a bug")
        return pb.GetOrderResponse(order=pb.Order(intent_id=request.intent_id))

    async def CancelIntent(self, request, context):
        self.callers.append(caller.current())
        rejection = Rejection(
            reason=RejectReason.REJECT_REASON_ORDER_QTY_LIMIT,
            value=2000,
            limit=1000,
            field="qty_lots",
        )
        raise Denied(rejection)

    async def ReplayReports(self, request, context):
        for lsn in range(request.from_lsn, request.to_lsn + 1):
            yield pb.ReplayReportsResponse(report=ExecutionReport(lsn=lsn))
        if request.to_lsn == 3:
            raise NotFound("LSN_GONE", "released", "from_lsn", 4)


@pytest.fixture
async def served():
    stream = io.StringIO()
    server = RpcServer(Endpoint("127.0.0.1", 0), SECRETS, Log("test", ManualClock(), stream))
    servicer = Servicer()
    server.add(add_ExecutionServiceServicer_to_server, servicer, SERVICE)
    endpoint = await server.start()
    yield str(endpoint), servicer, stream, server
    await server.stop(0)


@pytest.fixture
async def plain(served):
    async with grpc.aio.insecure_channel(served[0]) as channel:
        yield ExecutionServiceStub(channel)


def call_as(target, principal, secret=None):
    return open_channel(target, principal=principal, secret=secret or SECRETS[principal])


async def test_a_call_without_deadline_is_refused(plain):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plain.GetOrder(pb.GetOrderRequest(intent_id=INTENT_ID))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "DEADLINE_REQUIRED" in refused.value.details()


async def test_a_read_needs_no_proof(plain, served):
    answer = await plain.GetOrder(pb.GetOrderRequest(intent_id=INTENT_ID), timeout=5)
    assert answer.order.intent_id == INTENT_ID
    assert served[1].callers == [caller.ANONYMOUS]


async def test_a_missing_token_is_unauthenticated(plain):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plain.CancelIntent(pb.CancelIntentRequest(intent_id=INTENT_ID), timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "TOKEN_MISSING" in refused.value.details()


async def test_a_token_of_another_key_is_refused(served):
    async with call_as(served[0], "scavenger", bytes(32)) as channel:
        with pytest.raises(AccessDenied) as refused:
            await ExecutionServiceStub(channel).CancelIntent(
                pb.CancelIntentRequest(intent_id=INTENT_ID)
            )
    assert refused.value.code == "TOKEN_INVALID"
    assert served[1].callers == []


async def test_a_role_that_may_not_call_is_refused(served):
    async with call_as(served[0], "brain") as channel:
        with pytest.raises(AccessDenied) as refused:
            await ExecutionServiceStub(channel).CancelIntent(
                pb.CancelIntentRequest(intent_id=INTENT_ID)
            )
    assert refused.value.code == "ROLE_DENIED"
    assert refused.value.value == "ROLE_BRAIN"
    assert refused.value.limit == "ROLE_OPERATOR or ROLE_PHASE"


async def test_a_denial_travels_with_its_evidence(served):
    async with call_as(served[0], "scavenger") as channel:
        with pytest.raises(Denied) as denied:
            await ExecutionServiceStub(channel).CancelIntent(
                pb.CancelIntentRequest(intent_id=INTENT_ID)
            )
    fault = denied.value
    assert (fault.code, fault.field, fault.value, fault.limit) == (
        "ORDER_QTY_LIMIT",
        "qty_lots",
        "2000",
        "1000",
    )
    assert fault.rejection.reason == RejectReason.REJECT_REASON_ORDER_QTY_LIMIT
    assert fault.hint
    assert served[1].callers[0].principal == "scavenger"


async def test_a_denial_has_the_status_of_the_contract(plain):
    token = keys.token_of("scavenger", SECRETS["scavenger"])
    with pytest.raises(grpc.aio.AioRpcError) as denied:
        await plain.CancelIntent(
            pb.CancelIntentRequest(intent_id=INTENT_ID),
            timeout=5,
            metadata=(("authorization", token),),
        )
    assert denied.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_error_keeps_class_code_field_and_value(served):
    async with open_channel(served[0]) as channel:
        with pytest.raises(NotFound) as fault:
            await ExecutionServiceStub(channel).GetOrder(pb.GetOrderRequest(intent_id=bytes(16)))
    assert (fault.value.code, fault.value.field) == ("ORDER_UNKNOWN", "intent_id")
    assert fault.value.value == bytes(16).hex()


async def test_a_request_that_breaks_a_rule_never_reaches_the_servicer(served):
    async with open_channel(served[0]) as channel:
        with pytest.raises(InvalidMessage) as refused:
            await ExecutionServiceStub(channel).GetOrder(pb.GetOrderRequest(intent_id=b"short"))
    assert (refused.value.code, refused.value.field) == ("FIELD_INVALID", "intent_id")
    assert refused.value.limit == "16 bytes"
    assert served[1].callers == []


async def test_a_bug_becomes_internal_and_one_log_line(served):
    async with open_channel(served[0]) as channel:
        with pytest.raises(TitanError) as fault:
            await ExecutionServiceStub(channel).GetOrder(pb.GetOrderRequest(intent_id=b"\xff" * 16))
    assert fault.value.code == "INTERNAL"
    assert "a bug" not in str(fault.value)
    lines = [line for line in served[2].getvalue().splitlines() if "rpc_failed" in line]
    assert len(lines) == 1
    assert "RuntimeError('a bug')" in lines[0]


async def test_a_stream_needs_no_deadline_and_its_failure_is_typed(served):
    async with open_channel(served[0]) as channel:
        stub = ExecutionServiceStub(channel)
        whole = [
            item.report.lsn
            async for item in stub.ReplayReports(pb.ReplayReportsRequest(from_lsn=1, to_lsn=2))
        ]
        assert whole == [1, 2]
        seen = []
        with pytest.raises(NotFound) as fault:
            await collect(stub.ReplayReports(pb.ReplayReportsRequest(from_lsn=1, to_lsn=3)), seen)
    assert seen == [1, 2, 3]
    assert fault.value.code == "LSN_GONE"


async def collect(stream, into):
    async for item in stream:
        into.append(item.report.lsn)


async def test_reflection_lists_the_services_without_a_deadline(served):
    async with grpc.aio.insecure_channel(served[0]) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        ask = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = [answer async for answer in stub.ServerReflectionInfo(iter([ask]))]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names


async def test_health_follows_the_service(served):
    async with grpc.aio.insecure_channel(served[0]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        ask = health_pb2.HealthCheckRequest(service=SERVICE)
        before = (await stub.Check(ask)).status
        await served[3].set_serving(serving=True)
        after = (await stub.Check(ask)).status
    assert before == health_pb2.HealthCheckResponse.NOT_SERVING
    assert after == health_pb2.HealthCheckResponse.SERVING


async def test_a_dead_server_is_unavailable(served):
    await served[3].stop(0)
    async with open_channel(served[0], timeout_s=2.0) as channel:
        with pytest.raises(TitanError) as fault:
            await ExecutionServiceStub(channel).GetOrder(pb.GetOrderRequest(intent_id=INTENT_ID))
    assert fault.value.code == "RPC_UNAVAILABLE"


async def test_an_occupied_port_is_named(served):
    taken = Endpoint("127.0.0.1", int(served[0].rpartition(":")[2]))
    second = RpcServer(taken, SECRETS, Log("second", ManualClock(), io.StringIO()))
    second.add(add_ExecutionServiceServicer_to_server, Servicer(), SERVICE)
    with pytest.raises(Conflict) as fault:
        await second.start()
    assert fault.value.code == "PORT_IN_USE"
    assert fault.value.value == served[0]


async def test_a_server_binds_loopback_only():
    with pytest.raises(TitanError) as fault:
        RpcServer(Endpoint("0.0.0.0", 0), SECRETS, Log("open", ManualClock(), io.StringIO()))
    assert fault.value.code == "BIND_NOT_LOOPBACK"


def test_every_principal_gets_its_role_only_with_its_own_secret():
    token = keys.token_of("brain", SECRETS["brain"])
    assert keys.principal_of(token, SECRETS) == "brain"
    for broken in (token[:-1], token.replace("brain", "scavenger"), "Bearer x", "", f"{token}0"):
        with pytest.raises(AccessDenied):
            keys.principal_of(broken, SECRETS)
