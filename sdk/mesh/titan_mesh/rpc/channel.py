"""Client side: a channel with default deadline, the caller's proof, and typed errors.

Owns what every call carries. Must never retry: a caller knows whether its call may be repeated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from titan_mesh import keys
from titan_mesh.rpc.limits import (
    AUTHORIZATION,
    DEFAULT_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    RECONNECT_MAX_MS,
    RECONNECT_MIN_MS,
)
from titan_mesh.rpc.status import from_rpc_error

Details = grpc.aio.ClientCallDetails

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MIN_MS),
    ("grpc.min_reconnect_backoff_ms", RECONNECT_MIN_MS),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MAX_MS),
    # A channel of its own per process and target; a proxy never stands between two services.
    ("grpc.enable_http_proxy", 0),
)


def open_channel(
    target: str,
    *,
    principal: str = "",
    secret: bytes = b"",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    traced: bool = False,
) -> grpc.aio.Channel:
    """A channel to "host:port"; calls raise TitanError classes. Streams get no default deadline."""
    token = keys.token_of(principal, secret) if principal else ""
    interceptors: list[grpc.aio.ClientInterceptor] = [_Unary(token, timeout_s), _Stream(token)]
    if traced:
        # Imported when wanted: the instrumentation costs every start 0.2 s.
        from opentelemetry.instrumentation.grpc import aio_client_interceptors

        interceptors[:0] = aio_client_interceptors()  # type: ignore[no-untyped-call]
    return grpc.aio.insecure_channel(target, options=_OPTIONS, interceptors=interceptors)


def _details(details: Details, token: str, timeout_s: float | None) -> Details:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if token and not metadata.get_all(AUTHORIZATION):
        metadata.add(AUTHORIZATION, token)
    return Details(
        method=details.method,
        timeout=details.timeout if details.timeout is not None else timeout_s,
        metadata=metadata,
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    """Deadline, proof and typed errors of unary calls."""

    def __init__(self, token: str, timeout_s: float) -> None:
        self._token = token
        self._timeout_s = timeout_s

    async def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        client_call_details: Details,
        request: Any,
    ) -> Any:
        """The response; a failed call raises what the server meant."""
        details = _details(client_call_details, self._token, self._timeout_s)
        call = await continuation(details, request)
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None


class _Stream(grpc.aio.UnaryStreamClientInterceptor):
    """Proof and typed errors of server streams."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_stream(
        self,
        continuation: Callable[..., Any],
        client_call_details: Details,
        request: Any,
    ) -> Any:
        """The stream; its failure raises what the server meant."""
        call = await continuation(_details(client_call_details, self._token, None), request)
        return _typed(call)


async def _typed(call: Any) -> AsyncIterator[Any]:
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    finally:
        call.cancel()
