"""The demo as a person runs it, with nothing but loopback, and its object as a script reads it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT.parent / "shared" / "data" / "l2-binance-20240808" / "usdm"
BOUND_S = 110.0
KEYS = [
    "lost", "duplicates", "signals", "approved", "prepared", "confirmed", "filled",
    "venue_reports", "applied_reports", "kills", "truth_score", "policy_hash", "net_pnl",
    "fees", "seconds", "report_path",
]  # fmt: skip

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]


def demo(report: Path, *words: str, alone: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "titan_cli", "demo", "--json", "--report", str(report), *words]
    if alone:
        shell = 'ip link set lo up && exec "$@"'
        command = ["unshare", "-n", "bash", "-c", shell, "demo", *command]
    return subprocess.run(
        command, check=False, cwd=report.parent, capture_output=True, text=True, timeout=BOUND_S
    )


def outcome(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert list(found) == KEYS, done.stderr
    return found


def can_be_alone() -> bool:
    tools = shutil.which("unshare") and shutil.which("ip")
    return bool(tools) and subprocess.run(["unshare", "-n", "true"], check=False).returncode == 0


def test_the_demo_survives_its_kill_without_a_network(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = demo(report, "--seed", "11", alone=os.geteuid() == 0 and can_be_alone())
    found = outcome(done)
    assert done.returncode == 0, done.stderr
    assert found["lost"] == found["duplicates"] == 0
    assert found["confirmed"] >= 100
    assert 1 <= found["kills"] <= 5
    assert found["venue_reports"] == found["applied_reports"] > 0
    assert found["signals"] >= found["prepared"] >= found["confirmed"] >= found["filled"] > 0
    assert re.fullmatch(r"[0-9a-f]{64}", str(found["policy_hash"]))
    assert found["report_path"] == str(report)
    html = report.read_text()
    assert "all conditions hold" in html
    assert "kill -9" in html
    assert not re.search(r"(src|href)=|https?://|<script", html)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded data are not beside the tree")
def test_the_demo_trades_recorded_data(tmp_path: Path) -> None:
    done = demo(tmp_path / "report.html", "--data", str(RECORDED))
    found = outcome(done)
    assert found["lost"] == found["duplicates"] == 0, done.stderr
    assert found["filled"] > 0
    assert found["venue_reports"] == found["applied_reports"] > 0


def test_a_demo_that_is_told_to_end_leaves_nothing_running(tmp_path: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="t-"))
    running = subprocess.Popen(
        [sys.executable, "-m", "titan_cli", "demo", "--home", str(home)],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert running.stderr is not None
        assert any("the market runs" in line for line in running.stderr)
        pids = [int(path.read_text().split()[0]) for path in (home / "run").glob("*.pid")]
        assert len(pids) == 7
        running.terminate()
        running.communicate(timeout=BOUND_S)
    finally:
        running.kill()
        shutil.rmtree(home)
    assert running.returncode == 130
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_a_home_that_is_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "titan.toml").write_text("")
    done = demo(tmp_path / "report.html", "--home", str(tmp_path))
    assert done.returncode == 2
    assert json.loads(done.stdout.strip().splitlines()[-1])["error"] == "HOME_NOT_FRESH"
