"""`titan streams`: the server beside the topology. Must never delete a stream."""

from __future__ import annotations

from titan_cli.home.layout import Home


async def compare(home: Home, action: str) -> list[str]:
    raise NotImplementedError


async def provision_if_empty(home: Home) -> None:
    raise NotImplementedError
