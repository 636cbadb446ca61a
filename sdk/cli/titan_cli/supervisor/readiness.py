"""Is a process ready? One probe per way of showing it. Must never wait: the supervisor does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from titan_cli.home import settings_file
from titan_cli.home.addresses import LOOPBACK
from titan_cli.home.layout import Home
from titan_cli.supervisor.services import Readiness, Service

_PROBE_SECONDS = 1.0


async def is_ready(home: Home, service: Service, pid: int) -> bool:
    """One probe of one process."""
    if service.readiness is Readiness.NATS_INFO:
        return await _says_info(settings_file.ports_of(settings_file.read(home.toml)).nats)
    if service.readiness is Readiness.GRPC_HEALTH:
        settings = settings_file.read(home.toml)
        return await serves(settings_file.text_of(settings, service.address, "grpc"))
    path = home.run / service.ready_file
    if service.readiness is Readiness.PID_FILE:
        return _holds_pid(path, pid)
    return _is_object(path)


def clear(home: Home, service: Service) -> None:
    """Removes what an earlier process of the service left behind."""
    if service.ready_file:
        (home.run / service.ready_file).unlink(missing_ok=True)


async def _says_info(port: int) -> bool:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return line.startswith(b"INFO ")


async def serves(address: str) -> bool:
    """True when a gRPC server answers SERVING for the whole server."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_PROBE_SECONDS)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _holds_pid(path: Path, pid: int) -> bool:
    try:
        return path.read_text().split()[:1] == [str(pid)]
    except OSError:
        return False


def _is_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text()), dict)
    except (OSError, ValueError):
        return False
