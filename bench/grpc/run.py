"""`make bench-grpc`: ghz against a running mesh beside a bare grpc.aio echo, one after the other.

Owns one comparison. Must never compare runs of different machines or sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from titan.risk.v1 import trading_state_pb2
from titan_cli.home.layout import Home
from titan_cli.operator.link import connect
from titan_cli.supervisor import foreground
from titan_mesh import keys
from titan_mesh.clock import SystemClock
from titan_mesh.policy_hash import load_policy

ROOT = Path(__file__).resolve().parents[2]
GHZ = ROOT / ".cache" / "tools" / "ghz"
PROTOSET = ROOT / "gen" / "descriptor" / "titan.binpb"
PHASE = "bench"
SYMBOL = "BTCUSDT"
NORMAL_SECONDS = 30.0
TTL_NS = 50 * 10**9
FAR_BELOW = 0.99
POLL_SECONDS = 0.1
SUBMIT = "titan.execution.v1.ExecutionService/SubmitIntent"
DESCRIBE = "titan.execution.v1.ExecutionControlService/DescribeState"
HEADER = f"{'':<30}{'p50 us':>9}{'p95 us':>9}{'p99 us':>9}{'calls/s':>9}{'failed':>8}"


@dataclass(frozen=True, slots=True)
class Load:
    """What ghz is told."""

    calls: int
    concurrency: int


def compose_with_bench_phase(folder: Path) -> Path:
    """compose/ with a policy that lets the bench send as fast as it can."""
    shutil.copytree(ROOT / "compose", folder)
    path = folder / "policy" / "risk_policy.json"
    policy = json.loads(path.read_text())
    policy["account"]["max_messages_per_second"] = 100_000
    policy["instruments"][0]["max_open_orders"] = 1_000
    phase = dict(policy["phases"][0], phase_id=PHASE, max_repeats_per_minute=10_000)
    policy["phases"].append(phase)
    path.write_text(json.dumps(policy, indent=2))
    return folder


async def until_normal(home: Home) -> int:
    """Waits until new risk is allowed; a price that will not trade, in ticks."""
    async with connect(home) as link, asyncio.timeout(NORMAL_SECONDS):
        while True:
            state = await link.describe_state()
            books = {book.symbol: book for book in state.books}
            normal = state.state == trading_state_pb2.TRADING_STATE_NORMAL
            if normal and SYMBOL in books and books[SYMBOL].live:
                return int(books[SYMBOL].bid_price_ticks * FAR_BELOW)
            await asyncio.sleep(POLL_SECONDS)


def intent_template(home: Home, price_ticks: int) -> str:
    """An IOC buy far below the market, with a fresh id per call: accepted, sent, never filled."""
    clock = SystemClock()
    intent = {
        "intent_id": "{{ randAscii 16 | b64enc }}",
        "policy_hash": base64.b64encode(load_policy(home.policy).hash).decode(),
        "phase_id": PHASE,
        "account": "paper-main",
        "symbol": SYMBOL,
        "instrument_version": 1,
        "side": "SIDE_BUY",
        "order_type": "ORDER_TYPE_LIMIT",
        "time_in_force": "TIME_IN_FORCE_IOC",
        "qty_lots": 5,
        "price_ticks": price_ticks,
        "created_at_ns": clock.unix_ns(),
        "expires_at_boottime_ns": clock.boottime_ns() + TTL_NS,
        "rule": "bench",
    }
    return json.dumps({"intent": intent})


async def ghz(address: str, call: str, data: str, token: str, load: Load) -> dict[str, Any]:
    """One run of ghz; its JSON summary."""
    process = await asyncio.create_subprocess_exec(
        str(GHZ), "--insecure", "--protoset", str(PROTOSET), "--call", call,
        "-d", data, "-m", json.dumps({"authorization": token}),
        "-n", str(load.calls), "-c", str(load.concurrency), "--connections", "1",
        "--timeout", "5s", "-O", "json", address,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode:
        raise SystemExit(f"ghz failed: {err.decode().strip()[-500:]}")
    found = json.loads(out)
    marks = {row["percentage"]: row["latency"] // 1000 for row in found["latencyDistribution"]}
    good = found["statusCodeDistribution"].get("OK", 0)
    return {
        "p50_us": marks[50],
        "p95_us": marks[95],
        "p99_us": marks[99],
        "calls_per_second": round(found["rps"]),
        "failed": load.calls - good,
        "failures": found.get("errorDistribution") or {},
    }


async def measure(load: Load) -> dict[str, Any]:
    """Mesh and echo, each call in turn, the echo while the mesh rests."""
    results: dict[str, Any] = {"calls": load.calls, "concurrency": load.concurrency}
    with tempfile.TemporaryDirectory(prefix="titan-bench-") as folder:
        home = Home(Path(folder) / "home")
        wishes = foreground.Wishes(
            auto_ports=True,
            compose=compose_with_bench_phase(Path(folder) / "compose"),
            overrides={"feed.speed": "1", "feed.market_seconds": 600},
        )

        def say(words: str) -> None:
            print(words, file=sys.stderr)

        async with foreground.running(home, wishes, say, SystemClock()):
            price_ticks = await until_normal(home)
            token = keys.token_of(PHASE, keys.read_grpc_key(home.root, PHASE))
            address = json.loads(home.ports.read_text())["execution"]
            template = intent_template(home, price_ticks)
            for name, call, data in (("submit", SUBMIT, template), ("describe", DESCRIBE, "{}")):
                results[name] = await ghz(address, call, data, token, load)
            results |= await measure_echo(template, token, load)
    for name in ("submit", "describe"):
        results[f"{name}_ratio_p50"] = round(
            results[name]["p50_us"] / results[f"{name}_echo"]["p50_us"], 2
        )
    return results


async def measure_echo(template: str, token: str, load: Load) -> dict[str, Any]:
    """The same calls and bytes against the bare server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("echo.py")),
        "127.0.0.1:0",
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        address = f"127.0.0.1:{int(await process.stdout.readline())}"
        return {
            "submit_echo": await ghz(address, SUBMIT, template, token, load),
            "describe_echo": await ghz(address, DESCRIBE, "{}", token, load),
        }
    finally:
        process.kill()
        await process.wait()


def show(results: dict[str, Any]) -> None:
    """The table for people."""
    print(f"{results['calls']} calls, {results['concurrency']} at a time, one connection\n{HEADER}")
    for name in ("submit", "submit_echo", "describe", "describe_echo"):
        row = results[name]
        print(
            f"{name:<30}{row['p50_us']:>9,}{row['p95_us']:>9,}{row['p99_us']:>9,}"
            f"{row['calls_per_second']:>9,}{row['failed']:>8,}"
        )
        for words, count in row["failures"].items():
            print(f"  {count:,} x {words}")
    for name in ("submit", "describe"):
        print(f"{name:<12} p50 is {results[f'{name}_ratio_p50']:.2f} times the bare echo's")


def main() -> int:
    """Exit 0 measured, 1 calls failed, 3 no ghz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--concurrency", type=int, default=8)
    chosen = parser.parse_args()
    if not GHZ.is_file():
        print("error GHZ_MISSING: no ghz in .cache/tools\n  next   make tools", file=sys.stderr)
        return 3
    results = asyncio.run(measure(Load(chosen.calls, chosen.concurrency)))
    show(results)
    if chosen.json:
        print(json.dumps(results))
    return 1 if results["submit"]["failed"] or results["describe"]["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
