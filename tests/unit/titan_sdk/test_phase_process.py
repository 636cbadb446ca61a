"""A phase as a process: real bus, real socket, durable log; start, restart, refusals, stop."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from titan import topology
from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan.marketdata.v1 import market_data_pb2
from titan.risk.v1 import lease_pb2, trading_state_pb2
from titan.trading.v1 import order_pb2
from titan_mesh.bus.connection import Bus
from titan_mesh.bus.publisher import Publisher
from titan_mesh.clock import ManualClock, SystemClock
from titan_mesh.ids import SystemRng
from titan_mesh.keys import read_fastpath_key
from titan_mesh.nats_server import NatsServer
from titan_mesh.policy_hash import load_policy
from titan_mesh.telemetry.logs import Log
from titan_sdk import Book, OrderHandle, Rejected, Report, Strategy, TimeInForce
from titan_sdk.phase_process import EXIT_REFUSED, EXIT_UNAVAILABLE, PhaseProcess
from unit.titan_sdk.execution_twin import Twin
from unit.titan_sdk.socket_twin import SocketTwin

SYMBOL = "BTCUSDT"
TOML = """
[mesh]
account = "paper-main"
venue = "paper"
policy = "policy/risk_policy.json"
instruments = "instruments"
[nats]
url = "{url}"
monitor_url = "{monitor_url}"
[execution]
socket = "run/execution.sock"
[phase.scavenger]
reconnect_initial_ms = 20
start_patience_ms = {patience}
{more}
"""


class OneBid(Strategy):
    """Rests one bid on the first book of each run."""

    phase_id = "scavenger"
    order: OrderHandle | None = None

    def on_start(self) -> None:
        self.heard: list[str] = []
        self.heard.append(f"position {self.position_lots(SYMBOL)}")

    def on_book(self, book: Book) -> None:
        self.heard.append("book")
        if self.order is None and self.may_open:
            self.order = self.buy(
                SYMBOL,
                qty="0.010",
                price_ticks=book.best_bid_ticks,
                rule="one_bid",
                time_in_force=TimeInForce.GTC,
                ttl_ms=30_000,
            )

    def on_report(self, order: OrderHandle, report: Report) -> None:
        self.heard.append(str(report.kind))

    def on_rejected(self, order: OrderHandle, rejected: Rejected) -> None:
        self.heard.append(str(rejected.reason))

    def on_stop(self) -> None:
        self.heard.append("stop")


@dataclass
class Stage:
    home: Path
    bus: Bus
    log: Log
    twin: Twin
    server: SocketTwin
    tasks: list[asyncio.Task[int]] = field(default_factory=list)
    lsn: int = 0
    updates: int = 0

    def phase(self) -> PhaseProcess:
        made = PhaseProcess(OneBid, self.home, clock=SystemClock(), rng=SystemRng(), log=self.log)
        self.tasks.append(asyncio.ensure_future(made.run()))
        return made

    async def ready(self) -> PhaseProcess:
        made = self.phase()
        await until((self.home / "run" / "scavenger.ready").exists)
        return made

    async def lease(self) -> None:
        lease = lease_pb2.RiskLease(
            account="paper-main",
            policy_hash=self.twin.policy_hash,
            brain_epoch=1,
            lease_sequence=1 + self.updates,
            state=trading_state_pb2.TRADING_STATE_NORMAL,
            ttl_ms=60_000,
            min_score_open=70,
            truth_score=100,
        )
        for name in ("hunter", "scavenger"):
            lease.budgets.add(phase_id=name, max_notional_nanos=10**14, allowed=True)
        await Publisher(self.bus).publish(topology.RISK_LEASE, lease)

    async def book(self) -> None:
        self.updates += 1
        update = market_data_pb2.BookUpdate(
            venue="paper",
            symbol=SYMBOL,
            event_time_ns=self.updates,
            recorded_ns=self.updates,
            snapshot=True,
            update_id=self.updates,
            bid_price_ticks=[600_000],
            bid_qty_lots=[50],
            ask_price_ticks=[600_001],
            ask_qty_lots=[50],
        )
        await Publisher(self.bus).publish(topology.BOOK_UPDATE, update)

    async def report(self, intent_id: bytes, kind: str, status: str, **facts: object) -> None:
        self.lsn += 1
        report = report_pb2.ExecutionReport(
            lsn=self.lsn,
            epoch=1,
            kind=report_pb2.RecordKind.Value(f"RECORD_KIND_{kind}"),
            account="paper-main",
            policy_hash=self.twin.policy_hash,
            intent_id=intent_id,
            phase_id="scavenger",
            symbol=SYMBOL,
            side=order_pb2.SIDE_BUY,
            ord_status=order_pb2.OrdStatus.Value(f"ORD_STATUS_{status}"),
            **facts,
        )
        await Publisher(self.bus).publish(topology.EXECUTION_REPORT, report)


async def until(condition: Callable[[], object]) -> None:
    """Look again at each turn of the loop, for at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.fixture
async def stage(titan_home: Path, nats_server: NatsServer, bus: Bus, log: Log):
    write_toml(titan_home, nats_server)
    log_path = titan_home / "phases" / "scavenger" / "intents.log"
    policy = load_policy(titan_home / "policy" / "risk_policy.json")
    twin = Twin(ManualClock(), log_path, policy_hash=policy.hash)
    key = read_fastpath_key(titan_home, "scavenger")
    server = SocketTwin(titan_home / "run" / "execution.sock", twin, key)
    server.start()
    made = Stage(titan_home, bus, log, twin, server)
    yield made
    server.stop()
    for task in made.tasks:
        if not task.done():
            task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


def write_toml(home: Path, server: NatsServer, patience: int = 10_000, more: str = "") -> None:
    text = TOML.format(url=server.url, monitor_url=server.monitor_url, patience=patience, more=more)
    (home / "titan.toml").write_text(text)


async def trade(stage: Stage) -> tuple[PhaseProcess, OneBid, OrderHandle]:
    process = await stage.ready()
    strategy = process.strategy
    assert isinstance(strategy, OneBid)
    await stage.lease()
    await until(lambda: strategy.may_open)
    await stage.book()
    await until(lambda: strategy.order is not None and strategy.order.accepted)
    assert strategy.order is not None
    return process, strategy, strategy.order


async def test_from_book_to_fill_to_orderly_stop(stage: Stage) -> None:
    process, strategy, order = await trade(stage)
    assert stage.twin.confirms == [order.intent_id]
    assert strategy.heard[:2] == ["position 0", "book"]
    await stage.report(order.intent_id, "VENUE_ACK", "NEW")
    await stage.report(
        order.intent_id, "FILL", "PARTIALLY_FILLED", last_qty_lots=4, last_price_ticks=600_000
    )
    await until(lambda: order.cum_qty_lots == 4)
    assert strategy.position_lots(SYMBOL) == 4
    assert 0 < order.stamps.logged_ns <= order.stamps.prepared_ns <= order.stamps.accepted_ns

    process.stop_requested.set()
    await until(lambda: stage.twin.cancelled == [order.intent_id])
    await stage.report(order.intent_id, "CANCELED", "CANCELED")
    assert await stage.tasks[0] == 0
    assert "stop" in strategy.heard
    assert not (stage.home / "run" / "scavenger.ready").exists()
    status = json.loads((stage.home / "run" / "scavenger.json").read_text())
    assert (status["state"], status["accepted"], status["fills"]) == ("stopped", 1, 1)
    assert status["positions"] == {SYMBOL: 4}
    assert status["accept_us_p50"] > 0
    assert (status["signals_published"], status["signals_dropped"]) == (1, 0)
    stored = await stage.bus.js.get_last_msg("TITAN_SIGNALS", "titan.signals.scavenger.BTCUSDT")
    assert stored.data in (stage.home / "phases" / "scavenger" / "intents.log").read_bytes()


async def test_a_restarted_phase_knows_its_position_and_cancels_what_works(stage: Stage) -> None:
    process, _, order = await trade(stage)
    await stage.report(
        order.intent_id, "FILL", "PARTIALLY_FILLED", last_qty_lots=3, last_price_ticks=600_000
    )
    await until(lambda: order.cum_qty_lots == 3)
    (stage.home / "titan.toml").write_text(
        (stage.home / "titan.toml").read_text() + 'crash_policy = "hold"\n'
    )
    object.__setattr__(process.config, "crash_policy", "hold")
    process.stop_requested.set()
    assert await stage.tasks[0] == 0
    assert stage.twin.cancelled == []

    text = (stage.home / "titan.toml").read_text()
    (stage.home / "titan.toml").write_text(text.replace('"hold"', '"cancel"'))
    asked = len(stage.twin.asked)
    again = await stage.ready()
    strategy = again.strategy
    assert isinstance(strategy, OneBid)
    assert strategy.heard == ["position 3"]
    await until(lambda: stage.twin.cancelled == [order.intent_id])
    assert stage.twin.asked[asked:] == [order.intent_id]
    await stage.report(order.intent_id, "CANCELED", "CANCELED")
    await until(lambda: again.desk.working == [])
    again.stop_requested.set()
    assert await stage.tasks[1] == 0


async def test_execution_restarts_and_the_phase_carries_on(stage: Stage) -> None:
    process, _, order = await trade(stage)
    stage.server.stop()
    second = process.strategy.buy(
        SYMBOL, qty="0.010", price_ticks=599_000, rule="second", ttl_ms=30_000
    )
    await until(lambda: not process.desk.find(order.intent_id).done)
    stage.server.start()
    await until(lambda: second.accepted)
    assert stage.twin.confirms == [order.intent_id, second.intent_id]
    process.stop_requested.set()
    for handle in (order, second):
        await stage.report(handle.intent_id, "CANCELED", "CANCELED")
    assert await stage.tasks[0] == 0


async def test_another_policy_ends_the_phase(stage: Stage) -> None:
    stage.twin.policy_hash = bytes(32)
    stage.phase()
    assert await stage.tasks[0] == EXIT_REFUSED
    assert not (stage.home / "run" / "scavenger.ready").exists()


async def test_a_wrong_key_ends_the_phase(stage: Stage) -> None:
    (path,) = (stage.home / "keys" / "fastpath").glob("*-scavenger.key")
    path.chmod(0o600)
    path.write_text("ab" * 32)
    path.chmod(0o400)
    stage.phase()
    assert await stage.tasks[0] == EXIT_REFUSED


async def test_execution_that_never_comes_is_a_coded_end(
    stage: Stage, nats_server: NatsServer
) -> None:
    stage.server.stop()
    write_toml(stage.home, nats_server, patience=150)
    stage.phase()
    assert await stage.tasks[0] == EXIT_UNAVAILABLE
    stage.server.start()


async def test_a_strategy_that_raises_ends_with_its_orders_cancelled(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, order = await trade(stage)

    def broken(self: OneBid, book: Book) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(OneBid, "on_book", broken)
    await stage.book()
    await until(lambda: stage.twin.cancelled == [order.intent_id])
    await stage.report(order.intent_id, "CANCELED", "CANCELED")
    assert await stage.tasks[0] == 1
