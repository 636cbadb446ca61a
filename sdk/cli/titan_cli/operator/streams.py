"""`titan streams`: the server beside the topology. Must never delete a stream."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from titan_mesh.bus import streams
from titan_mesh.bus.connection import Bus, connect
from titan_mesh.clock import SystemClock
from titan_mesh.telemetry.logs import Log

from titan_cli.home import settings_file
from titan_cli.home.layout import Home


@asynccontextmanager
async def _bus(home: Home) -> AsyncIterator[Bus]:
    # A failure comes back as an exception; the line per connect would only bury the answer.
    url = settings_file.text_of(settings_file.read(home.toml), "nats", "url")
    bus = await connect(
        url, name="titan-cli", log=Log("titan-cli", SystemClock(), stream=io.StringIO())
    )
    try:
        yield bus
    finally:
        await bus.close()


async def compare(home: Home, action: str) -> list[str]:
    """Differences between server and topology; `apply` returns those it has removed."""
    async with _bus(home) as bus:
        found = await (streams.apply(bus) if action == "apply" else streams.plan(bus))
    return [str(difference) for difference in found]


async def provision(home: Home) -> None:
    """After a start of the server: all streams on an empty one, else the memory streams it lost."""
    async with _bus(home) as bus:
        if await streams.provisioned(bus):
            await streams.restore_memory_streams(bus)
        else:
            await streams.apply(bus)
