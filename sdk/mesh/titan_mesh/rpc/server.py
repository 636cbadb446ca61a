"""Bootstrap of a gRPC server: bind, health, reflection, the edge, drain.

Owns how a service of the mesh is served. Must never bind beyond loopback: there is no TLS here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from titan.access import ACCESS

from titan_mesh.errors import Conflict, TitanError
from titan_mesh.rpc.edge import Edge
from titan_mesh.rpc.limits import MAX_CONCURRENT_RPCS, MAX_MESSAGE_BYTES
from titan_mesh.settings import Endpoint
from titan_mesh.telemetry.logs import Log

Servicer = TypeVar("Servicer")

_OPTIONS = (
    # Without this two processes could share a port and each would see half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)


class RpcServer:
    """One server; make it inside a running event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        secrets: Mapping[str, bytes],
        log: Log,
        *,
        traced: bool = False,
    ) -> None:
        _require_loopback(endpoint)
        self._endpoint = endpoint
        self._log = log
        edge = Edge(secrets, log)
        interceptors: list[grpc.aio.ServerInterceptor] = [edge]
        if traced:
            # Imported when wanted: the instrumentation costs every start 0.2 s.
            from opentelemetry.instrumentation.grpc import aio_server_interceptor

            interceptors.insert(0, aio_server_interceptor())  # type: ignore[no-untyped-call]
        self._server = grpc.aio.server(
            interceptors=interceptors,
            options=_OPTIONS,
            maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS,
        )
        self._health = health_aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names: list[str] = []

    @property
    def endpoint(self) -> Endpoint:
        """Where the server listens; its real port once started."""
        return self._endpoint

    def add(
        self, register: Callable[[Servicer, Any], None], servicer: Servicer, full_name: str
    ) -> None:
        """Register a servicer by its generated add_..._to_server and the service's full name."""
        service = descriptor_pool.Default().FindServiceByName(full_name)
        for method in service.methods:
            path = f"/{full_name}/{method.name}"
            if path not in ACCESS:
                raise TitanError("RPC_NOT_DECLARED", f"{path} has no authorisation", "rpc", path)
        register(servicer, self._server)
        self._names.append(full_name)

    async def start(self) -> Endpoint:
        """Bind and listen; health says NOT_SERVING until set_serving(True)."""
        names = (*self._names, HEALTH_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        await self.set_serving(serving=False)
        try:
            port = self._server.add_insecure_port(str(self._endpoint))
        except RuntimeError:
            raise Conflict(
                "PORT_IN_USE",
                f"cannot listen on {self._endpoint}",
                "grpc",
                self._endpoint,
                "a free port",
                hint="Stop the process that has it, or use --ports auto.",
            ) from None
        self._endpoint = Endpoint(self._endpoint.host, port)
        await self._server.start()
        self._log.info("rpc_listening", endpoint=self._endpoint, services=",".join(self._names))
        return self._endpoint

    async def set_serving(self, *, serving: bool) -> None:
        """What health answers, for the server and each service."""
        state = health_pb2.HealthCheckResponse.ServingStatus
        value = state.SERVING if serving else state.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, value)

    async def stop(self, grace_s: float = 1.0) -> None:
        """Health goes down, running calls get the grace, then the server ends."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)


def _require_loopback(endpoint: Endpoint) -> None:
    try:
        loopback = ipaddress.ip_address(endpoint.host).is_loopback
    except ValueError:
        loopback = endpoint.host == "localhost"
    if not loopback:
        raise TitanError(
            "BIND_NOT_LOOPBACK",
            "the server binds loopback only, TLS is not configured",
            "grpc",
            endpoint,
            "127.0.0.0/8, ::1 or localhost",
            hint="Set the address to 127.0.0.1.",
        )
