"""FastPath beside its floor: real Execution, real venue process, real MACs, a client in C.

Rounds of floor and order are interleaved in one run; medians over rounds are printed, and with
--json one object on the last line. Ratios hold between machines; absolute times do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(HERE)]

from journal_times import measure as measure_journal  # noqa: E402
from orders import PHASE, lease, templates, widen  # noqa: E402
from python_client import Measured  # noqa: E402
from python_client import measure as measure_python  # noqa: E402
from titan.venue.v1 import order_log_pb2  # noqa: E402
from titan_market.venue.orderlog import read_entries  # noqa: E402
from titan_mesh import keys  # noqa: E402
from titan_mesh.fastpath import ClientKey  # noqa: E402
from titan_testkit.edge import Edge  # noqa: E402
from titan_testkit.mesh import Mesh, until  # noqa: E402

BUILD = ROOT / ".cache" / "bench"
# Frame sizes of a PREPARE and its answer, so that the floor moves the same bytes.
REQUEST_BYTES, REPLY_BYTES = 320, 128
WINDOW = 256
# Short bursts: what the sockets to the paper venue hold. Beyond that its own pace is measured.
BURSTS = 3
SERVER_CPU = 0
Figures = dict[str, float]


def compiled(name: str) -> Path:
    """A C program of this folder, built when its source is newer."""
    source, target = HERE / f"{name}.c", BUILD / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        flags = ["-O2", "-Wall", "-Wno-deprecated-declarations"]
        subprocess.run(["gcc", *flags, source, "-o", target, "-lcrypto"], check=True)
    return target


def run_json(*words: object, data: bytes = b"") -> dict:
    """The JSON object that a program prints; its errors go to ours."""
    command = [str(word) for word in words]
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"{words[0]} exited with {done.returncode}") from None


class Bench:
    """One durability: a mesh of its own, rounds of floor and orders."""

    def __init__(self, durability: str, folder: Path) -> None:
        self.mesh = Mesh(
            folder,
            {
                "execution.durability": durability,
                "execution.cpu": SERVER_CPU,
            },
        )
        widen(self.mesh.home.policy)
        self.samples: dict[str, list[float]] = {}
        self._edge: Edge | None = None

    def __enter__(self) -> Bench:
        try:
            self.mesh.start("nats", "venue", "execution")
            self._edge = Edge(self.mesh)
            lease(self._edge)
            self._edge.quote()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._edge is not None:
            self._edge.close()
        self.mesh.close()

    def round(self, orders: int, burst: int, client_cpu: int) -> None:
        """One floor and one pass of orders, closed loop and pipelined."""
        where = "same_core" if client_cpu == SERVER_CPU else "two_cores"
        floor = compiled("floor")
        shape = (REQUEST_BYTES, REPLY_BYTES)
        alone = run_json(floor, *shape, orders * 4, 1, client_cpu, SERVER_CPU)
        ahead = run_json(floor, *shape, burst * 8, WINDOW, client_cpu, SERVER_CPU)
        for name in ("p50_ns", "p99_ns", "p999_ns"):
            self._keep(f"{where}.floor.{name}", alone[name])
        self._keep(f"{where}.floor.per_second", ahead["per_second"])
        one = self._client(orders, 1, client_cpu)
        for verb in ("prepare", "confirm", "both"):
            for name, value in one[verb].items():
                self._keep(f"{where}.{verb}.{name}", value)
        self._python(orders // 3, client_cpu, where)
        for _ in range(BURSTS):
            many = self._client(burst, WINDOW, client_cpu)
            self._keep(f"{where}.pipelined.orders_per_second", many["orders_per_second"])

    def medians(self) -> Figures:
        """Median of each figure over the rounds."""
        return {name: round(statistics.median(held)) for name, held in self.samples.items()}

    def _ready(self) -> Edge:
        """A fresh lease and book, and nothing left over from the pass before."""
        edge = self._edge
        assert edge is not None
        lease(edge)
        edge.quote()
        until("the venue has answered every order", lambda: edge.describe().open_orders == 0)
        return edge

    def _python(self, count: int, cpu: int, where: str) -> None:
        edge = self._ready()
        held = keys.read_fastpath_key(self.mesh.home.root, PHASE)
        key = ClientKey(held.key_id, held.principal, held.secret)
        done = measure_python(edge, self.mesh.home.run / "execution.sock", key, count, cpu)
        until("the venue has answered every order", lambda: edge.describe().open_orders == 0)
        for kind, held in (("python", done.took_ns), ("to_venue", self._to_venue(done))):
            for name, share in (("p50_ns", 0.5), ("p99_ns", 0.99), ("p999_ns", 0.999)):
                self._keep(f"{where}.{kind}.{name}", held[int(len(held) * share)])

    def _to_venue(self, done: Measured) -> list[int]:
        """From the decision to the venue's own stamp in its order log, ns per order, sorted."""
        log = (self.mesh.home.root / "venue" / "orders.log").read_bytes()
        return sorted(
            entry.venue_time_ns - done.decided_ns[entry.client_order_id]
            for entry, _ in read_entries(log)
            if entry.kind == order_log_pb2.ORDER_LOG_KIND_ACCEPTED
            and entry.client_order_id in done.decided_ns
        )

    def _client(self, count: int, window: int, cpu: int) -> dict:
        edge = self._ready()
        key = keys.read_fastpath_key(self.mesh.home.root, PHASE)
        socket = self.mesh.home.run / "execution.sock"
        data = key.secret + templates(edge)
        words = (compiled("client"), socket, key.key_id, PHASE, count, window, cpu)
        figures = run_json(*words, data=data)
        if figures["refused"]:
            raise SystemExit(f"orders were refused, by RejectReason: {figures['refused']}")
        return figures

    def _keep(self, name: str, value: float) -> None:
        self.samples.setdefault(name, []).append(value)


def machine() -> dict[str, object]:
    """Where and when."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def show(durability: str, figures: Figures) -> None:
    """One table per durability."""
    print(f"\ndurability = {durability}")
    print(f"  {'':34}{'p50 us':>10}{'p99 us':>10}{'p99.9 us':>10}{'x floor':>9}")
    for where in ("same_core", "two_cores"):
        if f"{where}.floor.p50_ns" not in figures:
            continue
        base = figures[f"{where}.floor.p50_ns"]
        for verb in ("floor", "prepare", "confirm", "both", "python", "to_venue"):
            held = [figures[f"{where}.{verb}.{name}"] for name in ("p50_ns", "p99_ns", "p999_ns")]
            cells = "".join(f"{value / 1000:10.1f}" for value in held)
            print(f"  {where + ' ' + verb:34}{cells}{held[0] / base:9.2f}")
        floor, ours = (
            figures[f"{where}.floor.per_second"],
            figures[f"{where}.pipelined.orders_per_second"],
        )
        print(
            f"  {where} pipelined, window {WINDOW}: {ours:,.0f} orders/s; floor {floor:,.0f} msg/s"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=1500, help="closed loop, per round")
    parser.add_argument(
        "--burst", type=int, default=1000, help="pipelined orders, 3 times per round"
    )
    parser.add_argument("--durability", choices=["process", "power", "both"], default="both")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    chosen = parser.parse_args()
    wanted = ["process", "power"] if chosen.durability == "both" else [chosen.durability]
    report: dict[str, object] = {"machine": machine(), "hash_ns": run_json(compiled("hash"))}
    cpus = [cpu for cpu in (SERVER_CPU, SERVER_CPU + 1) if cpu < (os.cpu_count() or 1)]
    folder = Path(tempfile.mkdtemp(prefix="tb-"))
    try:
        (folder / "journal").mkdir()
        report["journal"] = measure_journal(folder / "journal")
        for durability in wanted:
            with Bench(durability, folder / durability) as bench:
                for _ in range(chosen.rounds):
                    for cpu in cpus:
                        bench.round(chosen.orders, chosen.burst, cpu)
                report[durability] = bench.medians()
    finally:
        shutil.rmtree(folder)
    print("machine:", json.dumps(report["machine"]))
    print("hash and MAC, ns:", json.dumps(report["hash_ns"]))
    print("journal, us:", json.dumps(report["journal"]))
    for durability in wanted:
        show(durability, report[durability])  # type: ignore[arg-type]
    if chosen.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
