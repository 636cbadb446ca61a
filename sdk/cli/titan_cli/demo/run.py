"""The demo from an empty home to an exit code. Must never report what it did not measure."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from titan_mesh.clock import SystemClock
from titan_mesh.errors import TitanError

from titan_cli.demo import outcome, pages
from titan_cli.demo.outcome import Evidence
from titan_cli.demo.play import Play
from titan_cli.exits import Exit
from titan_cli.home import layout
from titan_cli.home.layout import Home
from titan_cli.home.settings_file import Value
from titan_cli.operator.link import connect
from titan_cli.output import Output, table
from titan_cli.report import page
from titan_cli.report.record import RunRecord
from titan_cli.supervisor import foreground

MARKET_SECONDS = 600
SPEED = "30"
ACK_DELAY_US = 6_000
JITTER_US = 4_000
_HOME_PREFIX = "titan-demo-"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What `titan demo` was asked for."""

    home: str | None
    data: str | None
    seed: int | None
    compose: str | None
    report: str | None
    keep: bool


def wishes_of(chosen: Namespace) -> Wishes:
    """Wishes of the command line."""
    return Wishes(chosen.home, chosen.data, chosen.seed, chosen.compose, chosen.report, chosen.keep)


async def run(wishes: Wishes, output: Output) -> Exit:
    """The whole demo; exit code 0 only when every condition holds."""
    _stop_orderly()
    if wishes.home is not None:
        return await _run_in(layout.locate(wishes.home), wishes, output)
    root = Path(tempfile.mkdtemp(prefix=_HOME_PREFIX))
    finished = False
    try:
        code = await _run_in(layout.locate(str(root)), wishes, output)
        finished = code is Exit.DONE
        return code
    finally:
        if finished and not wishes.keep:
            shutil.rmtree(root, ignore_errors=True)
        else:
            output.progress(f"the home is kept: {root}")


def _stop_orderly() -> None:
    """SIGTERM ends the demo as Ctrl-C does: with every process stopped."""
    task = asyncio.current_task()
    assert task is not None, "the demo runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _run_in(home: Home, wishes: Wishes, output: Output) -> Exit:
    clock = SystemClock()
    began_ns = clock.monotonic_ns()

    def seconds() -> float:
        return (clock.monotonic_ns() - began_ns) / 1e9

    if home.toml.exists():
        raise TitanError(
            "HOME_NOT_FRESH",
            "the demo needs a home of its own",
            "--home",
            home.root,
            "an empty or missing folder",
            hint="Leave --home out, or name a new folder.",
        )
    mesh = foreground.Wishes(
        auto_ports=True,
        compose=Path(wishes.compose) if wishes.compose else None,
        overrides=_settings(wishes),
    )

    def say(words: str) -> None:
        output.progress(f"{seconds():6.1f} s {words}")

    say(f"bringing up the mesh in {home.root}")
    async with foreground.running(home, mesh, say, clock) as supervisor:
        async with connect(home) as link:
            play = Play(home, link, supervisor, clock, say)
            evidence = await play.to_the_end()
            explained = await pages.explained_text(link, evidence)
        say("stopping the mesh")
    took = seconds()
    run_facts = pages.RunFacts(
        home, wishes.data, play.started_ns, play.ended_ns, took, play.market_seconds
    )
    record = pages.record_of(run_facts, evidence, play.samples, explained)
    path = _report_path(wishes, play.started_ns)
    page.write(record, path)
    _show(record, evidence, output)
    output.text(f"{took:.1f} s in all; report {path}")
    output.result(outcome.json_line(evidence, record.policy_hash, took, str(path)))
    return Exit.DONE if record.passed else Exit.CHECK_FAILED


def _report_path(wishes: Wishes, started_ns: int) -> Path:
    return Path(wishes.report or f"titan-demo-{started_ns // 10**9}.html").absolute()


def _settings(wishes: Wishes) -> dict[str, Value]:
    return {
        "feed.speed": SPEED,
        "feed.market_seconds": MARKET_SECONDS,
        "venue.ack_delay_us": ACK_DELAY_US,
        "venue.jitter_us": JITTER_US,
        **foreground.market_of(wishes.data, wishes.seed),
    }


def _show(record: RunRecord, evidence: Evidence, output: Output) -> None:
    rows = [(name, f"{count:,}") for name, count in record.funnel]
    output.text("\n" + table(rows))
    for reason, count in record.rejects:
        output.text(f"  refused {count:>5,}  {reason}")
    checks = [
        ("holds" if check.holds else "FAILS", check.name, check.wanted, check.measured)
        for check in record.conditions
    ]
    output.text("\n" + table(checks, ("", "condition", "wanted", "measured")))
    for fault in (*evidence.audit.lost, *evidence.audit.duplicates, *evidence.audit.unbound):
        output.text(f"  {fault}")
    currency = record.grid.currency
    output.text(
        f"\ntruth score {record.truth_score}, net result {record.net_pnl_nanos / 1e9:+,.2f} "
        f"{currency} after {record.fee_nanos / 1e9:,.2f} {currency} of fees"
    )
