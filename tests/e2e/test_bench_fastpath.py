"""The FastPath bench runs on a small scale, measures what it says, and every order is accepted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.e2e
def test_the_bench_measures_both_durabilities_beside_the_floor():
    scale = ["--rounds", "1", "--orders", "60", "--burst", "300", "--json"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/fastpath/run.py"), *scale],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert {"cpu", "cpus", "date", "load"} <= report["machine"].keys()
    for durability in ("process", "power"):
        figures = report[durability]
        for row in ("floor", "prepare", "confirm", "both"):
            quantiles = [figures[f"same_core.{row}.{name}_ns"] for name in ("p50", "p99", "p999")]
            assert 0 < quantiles[0] <= quantiles[1] <= quantiles[2]
        assert figures["same_core.pipelined.orders_per_second"] > 0
    # a commit that waits for the disk is seen in CONFIRM and not in PREPARE
    assert (
        report["power"]["same_core.confirm.p50_ns"] > report["process"]["same_core.confirm.p50_ns"]
    )
