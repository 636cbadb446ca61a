"""What the SDK rests on must run without the rpc extra."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("grpc", "grpc_health", "cryptography", "opentelemetry.sdk", "opentelemetry.exporter")
LIGHT = (
    "titan_mesh.bus.consumer",
    "titan_mesh.bus.live",
    "titan_mesh.bus.publisher",
    "titan_mesh.bus.streams",
    "titan_mesh.fastpath",
    "titan_mesh.instruments",
    "titan_mesh.keys",
    "titan_mesh.nats_server",
    "titan_mesh.policy_hash",
    "titan_mesh.settings",
    "titan_mesh.telemetry.logs",
    "titan_mesh.telemetry.tracing",
)


def run(*modules):
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in HEAVY)
    script = f"import sys; {blocked}; import {', '.join(modules)}"
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )


def test_all_but_rpc_imports_without_the_extra():
    done = run(*LIGHT)
    assert done.returncode == 0, done.stderr


def test_the_block_is_real():
    done = run("titan_mesh.rpc.server")
    assert done.returncode != 0
    assert "grpc" in done.stderr
