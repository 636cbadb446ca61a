"""What every RPC passes before its servicer: deadline, authorisation, validation, typed errors.

Owns that order. Must never know what an RPC does. Health and reflection pass untouched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import Message
from titan.access import ACCESS, Access
from titan.options.v1.access_pb2 import Role

from titan_mesh import keys
from titan_mesh.errors import AccessDenied, InvalidMessage, TitanError
from titan_mesh.rpc import caller, status
from titan_mesh.rpc.limits import AUTHORIZATION, MAX_DEADLINE_S
from titan_mesh.rpc.validate import require_valid
from titan_mesh.telemetry.logs import Log

_INFRASTRUCTURE = "/grpc."
_ANYONE = "ROLE_ANYONE"

# Quoted: these classes are generic in their stubs only.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Edge(grpc.aio.ServerInterceptor):
    """The one interceptor of the mesh; wraps each method once and keeps the wrapped handler."""

    def __init__(self, secrets: Mapping[str, bytes], log: Log) -> None:
        self._secrets = dict(secrets)
        self._log = log
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The guarded handler of the method."""
        method = handler_call_details.method
        if method in self._wrapped:
            return self._wrapped[method]
        handler = await continuation(handler_call_details)
        if handler is None or method.startswith(_INFRASTRUCTURE):
            return handler
        self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped[method]

    def _wrap(self, method: str, handler: Handler) -> Handler:
        access = ACCESS.get(method)
        assert access is not None, f"{method} has no authorisation; RpcServer.add checks it"
        assert not handler.request_streaming, f"{method}: the contract has no client streams"
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, access, handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method, access, handler.unary_unary),
            handler.request_deserializer,
            handler.response_serializer,
        )

    def _unary(self, method: str, access: Access, inner: Any) -> Any:
        async def serve(request: Message, context: Context) -> Any:
            try:
                self._admit(access, request, context)
                return await inner(request, context)
            except TitanError as fault:
                await _abort(context, fault)
            except grpc.aio.AbortError:
                raise
            except Exception as fault:
                await self._abort_unexpected(method, context, fault)

        return serve

    def _stream(self, method: str, access: Access, inner: Any) -> Any:
        async def serve(request: Message, context: Context) -> AsyncIterator[Any]:
            try:
                self._admit(access, request, context)
                async for response in inner(request, context):
                    yield response
            except TitanError as fault:
                await _abort(context, fault)
            except grpc.aio.AbortError:
                raise
            except Exception as fault:
                await self._abort_unexpected(method, context, fault)

        return serve

    def _admit(self, access: Access, request: Message, context: Context) -> None:
        if not access.deadline_exempt:
            _require_deadline(context)
        caller.enter(self._authorise(access, context))
        require_valid(request)

    def _authorise(self, access: Access, context: Context) -> caller.Caller:
        token = next(
            (
                str(value)
                for key, value in context.invocation_metadata() or ()
                if key == AUTHORIZATION
            ),
            "",
        )
        if _ANYONE in access.roles:
            # Whoever proves something is named; a bad proof must not stop the brake.
            try:
                return self._prove(token)
            except AccessDenied:
                return caller.ANONYMOUS
        proven = self._prove(token)
        role = Role.Name(proven.role)
        if role not in access.roles:
            raise AccessDenied(
                "ROLE_DENIED",
                f"{proven.principal} may not call this",
                AUTHORIZATION,
                role,
                " or ".join(sorted(access.roles)),
                hint="Call with a principal of an allowed role.",
            )
        return proven

    def _prove(self, token: str) -> caller.Caller:
        if not token:
            raise AccessDenied(
                "TOKEN_MISSING",
                "this call needs an authorization token",
                AUTHORIZATION,
                "",
                f"{keys.SCHEME} <principal>.<hex>",
                hint="`titan keys token PRINCIPAL` prints one.",
            )
        principal = keys.principal_of(token, self._secrets)
        return caller.Caller(principal, keys.role_of(principal))

    async def _abort_unexpected(self, method: str, context: Context, fault: Exception) -> NoReturn:
        self._log.fault("rpc_failed", fault, method=method)
        failure = TitanError(
            status.INTERNAL_CODE, "the server failed; its log has the cause", "method", method
        )
        trailer = ((status.DETAILS_KEY, status.details_of(failure)),)
        await context.abort(grpc.StatusCode.INTERNAL, str(failure), trailer)


def _require_deadline(context: Context) -> None:
    left_s = context.time_remaining()
    if left_s is None or left_s > MAX_DEADLINE_S:
        raise InvalidMessage(
            "DEADLINE_REQUIRED",
            "this call needs a deadline",
            "grpc-timeout",
            "none" if left_s is None else f"{left_s:.0f} s",
            f"at most {MAX_DEADLINE_S:.0f} s",
            hint="Set one, e.g. grpcurl -max-time 5.",
        )


async def _abort(context: Context, fault: TitanError) -> NoReturn:
    trailer = ((status.DETAILS_KEY, status.details_of(fault)),)
    await context.abort(status.status_code(fault), str(fault), trailer)
