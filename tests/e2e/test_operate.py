"""An operator's day on a whole mesh: status, why, halt, resume, tools, one crash too many."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from titan_cli.demo import venue_log
from titan_cli.exits import Exit

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".cache" / "tools"
BOUND_S = 120.0
WAIT_S = 60.0
POLL_S = 0.05
Found = TypeVar("Found")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


class Operator:
    """Somebody at a shell with TITAN_HOME set."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def titan(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "titan_cli", *words],
            check=False,
            env={**os.environ, "TITAN_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
        )

    def asks(self, *words: str) -> dict[str, object]:
        done = self.titan(*words, "--json")
        found = json.loads(done.stdout.strip().splitlines()[-1])
        assert isinstance(found, dict)
        return {**found, "code": done.returncode}

    def state(self) -> str:
        return str(self.asks("status").get("execution", {}).get("state", ""))

    def pid(self, service: str) -> int:
        shown = json.loads((self.home / "run" / "mesh.json").read_text())
        return int(shown["services"][service]["pid"])

    def filled_order(self) -> str:
        entries = venue_log.read(self.home / "venue" / "orders.log")
        return next((e.client_order_id for e in entries if e.HasField("trade")), "")


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    home = Path(tempfile.mkdtemp(prefix="t-"))
    person = Operator(home)
    up = person.titan("up", "--detach", "--ports", "auto", "--set", "feed.speed=20")
    assert up.returncode == Exit.DONE, up.stderr
    yield person
    person.titan("down")
    shutil.rmtree(home)


def eventually(what: str, probe: Callable[[], Found]) -> Found:
    """The first true answer of a probe."""
    deadline = time.monotonic() + WAIT_S
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {WAIT_S} s: {what}"
        time.sleep(POLL_S)
    return found


def test_1_the_mesh_reaches_normal_and_trades(operator: Operator) -> None:
    eventually("NORMAL", lambda: operator.state() == "NORMAL")
    eventually("a fill", operator.filled_order)
    shown = operator.asks("status")
    assert shown["code"] == Exit.DONE
    assert shown["truth"]["score"] >= 70
    assert {entry["state"] for entry in shown["processes"].values()} <= {"ready", "done"}
    people = operator.titan("status").stdout
    for words in ("truth score", "policy", "lease", "budget scavenger", "book BTCUSDT"):
        assert words in people


def test_2_every_order_explains_itself(operator: Operator) -> None:
    order = operator.filled_order()
    told = eventually("the story", lambda: operator.titan("why", order).stdout)
    for words in ("intent ", "gate ", "passed", "limit", "truth ", "lease ", "CONFIRMED", "FILL"):
        assert words in told, told
    intent = re.search(r"intent +([0-9a-f]{32})", told)
    assert intent
    by_prefix = operator.asks("why", intent[1][:12])
    assert by_prefix["reports"]
    unknown = operator.asks("why", "ffffffffffff")
    assert unknown["code"] == Exit.REFUSED
    assert unknown["error"]


def test_3_the_usual_tools_find_their_way(operator: Operator) -> None:
    ports = json.loads((operator.home / "run" / "ports.json").read_text())
    if not (TOOLS / "grpcurl").is_file():
        pytest.skip("no grpcurl in .cache/tools; make tools")
    call = [TOOLS / "grpcurl", "-plaintext", "-max-time", "5"]
    listed = subprocess.run(
        [*call, ports["execution"], "list"], check=True, capture_output=True, text=True
    ).stdout
    assert "titan.execution.v1.ExecutionControlService" in listed
    assert "grpc.health.v1.Health" in listed
    method = "titan.execution.v1.ExecutionControlService/DescribeState"
    described = subprocess.run(
        [*call, ports["execution"], method], check=True, capture_output=True, text=True
    ).stdout
    assert json.loads(described)["account"] == "paper-main"
    streams = subprocess.run(
        [TOOLS / "nats", "-s", ports["nats"], "stream", "ls"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "TITAN_EXECUTION" in streams


def test_4_a_halt_works_without_the_brain_and_is_lifted_by_its_epoch(operator: Operator) -> None:
    os.kill(operator.pid("brain"), signal.SIGSTOP)
    try:
        halted = operator.asks("halt", "--text", "drill")
    finally:
        os.kill(operator.pid("brain"), signal.SIGCONT)
    assert halted["code"] == Exit.DONE
    assert (halted["state"], halted["brain"]) == ("HALTED", "SERVICE_UNREACHABLE")
    assert operator.state() == "HALTED"
    epoch = str(halted["halt_epoch"])
    wrong = operator.asks("resume", "--operator", "op-a", "--epoch", str(int(epoch) + 7))
    assert wrong["code"] == Exit.REFUSED
    nobody = operator.asks("resume", "--operator", "op-z", "--epoch", epoch)
    assert nobody["code"] == Exit.USAGE
    eventually(
        "the Brain knows the halt",
        lambda: operator.asks("status").get("brain", {}).get("state") == "HALTED",
    )
    resumed = operator.asks("resume", "--operator", "op-a", "--epoch", epoch, "--text", "done")
    assert resumed["code"] == Exit.DONE, resumed
    eventually("NORMAL on evidence", lambda: operator.state() == "NORMAL")


def test_5_a_service_that_crashes_too_often_halts_and_stops_the_mesh(operator: Operator) -> None:
    supervisor = int((operator.home / "run" / "supervisor.pid").read_text().split()[0])
    for _ in range(4):
        pid = eventually("a venue", lambda: operator.pid("venue"))
        os.kill(pid, signal.SIGKILL)
        eventually(
            "it was noticed",
            lambda gone=pid: (
                not Path(f"/proc/{supervisor}").exists() or operator.pid("venue") != gone
            ),
        )
        if not Path(f"/proc/{supervisor}").exists():
            break
    eventually(
        "the supervisor gave up", lambda: not (operator.home / "run/supervisor.pid").exists()
    )
    log = (operator.home / "log" / "supervisor.log").read_text()
    assert "RESTART_LIMIT" in log
    assert "HALTED, epoch" in log
    assert "venue ended with exit code -9" in log
    assert operator.asks("status")["code"] == Exit.UNREACHABLE
