"""A bare grpc.aio server under the names of two Titan RPCs: what gRPC in Python costs at least.

Owns constant answers. Must never parse a request or know a rule.
"""

from __future__ import annotations

import asyncio
import sys

import grpc
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.execution.v1 import execution_service_pb2 as execution_pb2

ANSWERS = {
    "/titan.execution.v1.ExecutionService/SubmitIntent": execution_pb2.SubmitIntentResponse(
        lsn=1, client_order_id="T1" + "a" * 24
    ).SerializeToString(),
    "/titan.execution.v1.ExecutionControlService/DescribeState": (
        control_pb2.DescribeStateResponse(account="paper-main").SerializeToString()
    ),
}


class Echo(grpc.GenericRpcHandler):
    """Answers two methods with constant bytes."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of a method; None for any other."""
        answer = ANSWERS.get(details.method)
        if answer is None:
            return None

        async def call(_request: bytes, _context: grpc.aio.ServicerContext) -> bytes:
            return answer

        return grpc.unary_unary_rpc_method_handler(call)


async def main(address: str) -> None:
    """Serves until it is killed; prints the port when it listens."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port(address)
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
