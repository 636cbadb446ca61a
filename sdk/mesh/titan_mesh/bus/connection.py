"""One NATS connection of one process.

Owns connecting, reconnecting within bounds, and closing. Must never know streams or events.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from titan_mesh.bus import limits
from titan_mesh.errors import BusError, Unavailable
from titan_mesh.telemetry.logs import Log


class Bus:
    """A connected bus; `closed` is set when it gave up for good."""

    def __init__(self, client: Client, name: str, log: Log, closed: asyncio.Event) -> None:
        self.client = client
        self.name = name
        self.log = log
        self.closed = closed
        self.js: JetStreamContext = client.jetstream(
            timeout=limits.API_TIMEOUT_S, publish_async_max_pending=1 << 16
        )

    @property
    def connected(self) -> bool:
        """True while the connection is up."""
        return bool(self.client.is_connected)

    async def api(self, request: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request to the JetStream API, e.g. "STREAM.INFO.NAME"; its JSON answer as it came."""
        payload = json.dumps(body).encode() if body is not None else b""
        try:
            answer = await self.client.request(
                f"$JS.API.{request}", payload, timeout=limits.API_TIMEOUT_S
            )
        except (nats.errors.Error, TimeoutError, OSError) as fault:
            raise Unavailable(
                "BUS_UNAVAILABLE", f"JetStream does not answer: {fault!r}", "nats.url", request
            ) from None
        found: dict[str, Any] = json.loads(answer.data)
        return found

    async def close(self) -> None:
        """Send what is pending, then close; safe to call twice."""
        try:
            # All our consumers pull, so there is nothing to drain but our own publishes.
            if self.client.is_connected:
                await self.client.flush(timeout=limits.FLUSH_TIMEOUT_S)
            if not self.client.is_closed:
                await self.client.close()
        except (nats.errors.Error, TimeoutError, OSError) as fault:
            # The other side went first; nothing is left that could be delivered.
            self.log.debug("bus_close", fault=repr(fault))


async def connect(
    url: str, *, name: str, log: Log, give_up_s: float = limits.CONNECT_GIVE_UP_S
) -> Bus:
    """A bus, or BUS_UNAVAILABLE once the attempts of give_up_s failed."""
    closed = asyncio.Event()
    client = Client()

    async def on_disconnect() -> None:
        log.warn("bus_disconnected", url=url)

    async def on_reconnect() -> None:
        log.info("bus_reconnected", url=url)

    async def on_close() -> None:
        closed.set()

    async def on_error(fault: Exception) -> None:
        log.warn("bus_fault", fault=repr(fault))

    attempt = client.connect(
        servers=url,
        name=name,
        connect_timeout=limits.CONNECT_TIMEOUT_S,  # type: ignore[arg-type]
        reconnect_time_wait=limits.RECONNECT_WAIT_S,  # type: ignore[arg-type]
        max_reconnect_attempts=limits.MAX_RECONNECTS,
        ping_interval=limits.PING_INTERVAL_S,
        pending_size=limits.MAX_PENDING_BYTES,
        disconnected_cb=on_disconnect,
        reconnected_cb=on_reconnect,
        closed_cb=on_close,
        error_cb=_quiet_until_connected(client, on_error),
    )
    try:
        await asyncio.wait_for(attempt, give_up_s)
    except (nats.errors.Error, TimeoutError, OSError) as fault:
        await client.close()
        raise Unavailable(
            "BUS_UNAVAILABLE",
            f"no NATS server answers at {url}: {fault!r}",
            "nats.url",
            url,
            f"{give_up_s} s",
            hint="Start the mesh (titan up) or correct nats.url.",
        ) from None
    log.info("bus_connected", url=url, server=_version(client))
    return Bus(client, name, log, closed)


def _version(client: Client) -> str:
    version = client.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


def _quiet_until_connected(client: Client, on_error: Any) -> Any:
    """Refused attempts of the first connect are no news: the last one is in the exception."""

    async def forward(fault: Exception) -> None:
        if client.is_connected or client.is_reconnecting:
            await on_error(fault)

    return forward


def refused(fault: Exception, what: str) -> BusError | Unavailable:
    """An exception of the NATS client as one of ours."""
    if isinstance(fault, TimeoutError | nats.errors.TimeoutError):
        return Unavailable("BUS_TIMEOUT", f"no answer to {what}; it may have happened", "bus", what)
    if isinstance(fault, nats.js.errors.NoStreamResponseError):
        return BusError(
            "STREAM_MISSING",
            f"no stream takes {what}",
            "bus",
            what,
            hint="`titan streams apply` creates the streams.",
        )
    if isinstance(fault, nats.js.errors.APIError):
        return BusError("BUS_REFUSED", f"{what}: {fault.description}", "bus", what, fault.err_code)
    return Unavailable("BUS_UNAVAILABLE", f"{what}: {fault!r}", "bus", what)
