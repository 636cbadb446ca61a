"""A running phase: settings, keys, bus, submitter and desk put together, and events routed
between them.

Owns composition and the order of start and stop; the only module of the SDK that knows every
part. Must never decide
anything a strategy or the submission logic decides.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from titan_mesh import keys, policy_hash
from titan_mesh.bus.connection import Bus, connect
from titan_mesh.bus.live import LiveSubscription, subscribe_live
from titan_mesh.clock import Clock
from titan_mesh.errors import SettingError
from titan_mesh.fastpath.backoff import Backoff
from titan_mesh.ids import IdSource, Rng
from titan_mesh.settings import Settings, read_settings, socket_path
from titan_mesh.telemetry.logs import Log

from titan_sdk._pb import topology
from titan_sdk._pb.titan.execution.v1 import ExecutionReport
from titan_sdk._pb.titan.marketdata.v1 import BookUpdate, TradePrint
from titan_sdk._pb.titan.risk.v1 import RiskLease
from titan_sdk.config import PhaseConfig
from titan_sdk.desk import Desk
from titan_sdk.instruments import Instruments
from titan_sdk.intent import Identity, decode_intent
from titan_sdk.orders import Accepted, OrderHandle, Outcome, Rejected, Stamps
from titan_sdk.signals import SignalPublisher
from titan_sdk.status_file import Latencies, StatusFiles
from titan_sdk.strategy import Strategy
from titan_sdk.submit.intent_log import IntentLog
from titan_sdk.submit.link import LinkReady
from titan_sdk.submit.socket_link import SocketLink
from titan_sdk.submit.submission import Submissions
from titan_sdk.submit.submitter import Submitter, SubmitterSettings

M = TypeVar("M")

EXIT_OK = 0
EXIT_STRATEGY = 1
EXIT_IO = 70
EXIT_UNAVAILABLE = 75
EXIT_REFUSED = 78

STATUS_EVERY_NS = 500_000_000
HISTORY_WAIT_S = 2.0
YIELD_EVERY = 32
_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
_REFUSALS = ("POLICY_HASH_MISMATCH", "UNKNOWN_ACCOUNT", "AUTH_FAILED", "SERVER_NOT_GENUINE")


def execution_socket(settings: Settings) -> Path:
    """[execution].socket: the one key of that section that a phase needs."""
    table = settings.tables.get("execution", {})
    value = table.get("socket")
    if not isinstance(value, str) or not value:
        raise SettingError(
            "SETTING_MISSING", "execution.socket is missing", "execution.socket", value, "a path"
        )
    return socket_path(settings.home / value, "execution.socket")


class PhaseProcess:
    """One strategy in one process, from start() to stop()."""

    def __init__(
        self, strategy_class: type[Strategy], home: Path, *, clock: Clock, rng: Rng, log: Log
    ) -> None:
        settings = read_settings(home)
        phase_id = strategy_class.phase_id
        self._clock = clock
        self._rng = rng
        self._log = log
        self._home = settings.home
        self._mesh = settings.mesh()
        self._nats = settings.nats()
        self._socket = execution_socket(settings)
        self.config: PhaseConfig = settings.section(f"phase.{phase_id}", strategy_class.config_type)
        self._policy = policy_hash.load_policy(self._mesh.policy)
        self._key = keys.read_fastpath_key(self._home, phase_id)
        self.identity = Identity(phase_id, self._mesh.account, self._policy.hash)
        self._instruments = Instruments.load(self._mesh.instruments)
        for symbol in self.config.symbols:
            self._instruments.get(symbol)
        self._strategy_class = strategy_class
        self.stop_requested = asyncio.Event()
        self.exit_code = EXIT_OK
        self._linked = asyncio.Event()
        self._history_read = asyncio.Event()
        self._drained = asyncio.Event()
        self._stopping = False
        self._latencies = Latencies()
        self._tasks: list[asyncio.Task[None]] = []
        self._subscriptions: list[LiveSubscription[Any]] = []

    # -- life ------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Start, trade until stop_requested, stop; the exit code."""
        self._loop = asyncio.get_running_loop()
        phase_id = self.identity.phase_id
        self._files = StatusFiles(self._home / "run", phase_id)
        intents = IntentLog(self._home / "phases" / phase_id / "intents.log")
        try:
            self._bus = await connect(self._nats.url, name=phase_id, log=self._log)
            self._compose(intents)
            try:
                await self._start(intents)
                await self.stop_requested.wait()
            finally:
                await self._stop()
        finally:
            intents.close()
        return self.exit_code

    def _compose(self, intents: IntentLog) -> None:
        self._signals = SignalPublisher(self._bus, self.identity.phase_id, self._log)
        self._submitter = self._make_submitter()
        self.desk = Desk(
            self.identity,
            self._instruments,
            self.config.symbols,
            outbound=self._submitter,
            clock=self._clock,
            ids=IdSource(self._clock, self._rng),
        )
        self.strategy = self._strategy_class(self.desk, self.config)
        self.desk.bind(self.strategy)
        for item in intents.open.values():
            handle = OrderHandle(item.logged.intent_id, decode_intent(item.logged.payload))
            self.desk.adopt(handle)

    async def _start(self, intents: IntentLog) -> None:
        self._log.info(
            "phase_starting",
            policy_hash=self._policy.hex,
            open_intents=len(intents.open),
            torn_bytes=intents.torn_bytes,
            earlier_run=intents.existed,
        )
        self._spawn(self._signals.run(), "signals")
        await self._read_history(intents.existed)
        self._submitter.start(self._make_submissions(intents))
        await self._until_linked()
        if self.stop_requested.is_set():
            return
        self.desk.start()
        await self._listen()
        self._files.ready(os.getpid())
        self._log.info("phase_ready", symbols=",".join(self.config.symbols))
        self._spawn(self._write_status(), "status")
        self._spawn(self._watch_bus(self._bus), "bus")

    def _make_submitter(self) -> Submitter:
        config = self.config
        return Submitter(
            SubmitterSettings(
                capacity=config.queue_capacity,
                ping_interval_ns=config.ping_interval_ms * _NS_PER_MS,
                drain_ns=config.drain_ms * _NS_PER_MS,
            ),
            self,
            post=self._post,
            publish=self._signals.offer,
        )

    def _make_submissions(self, intents: IntentLog) -> Submissions:
        config = self.config
        link = SocketLink(
            self._socket,
            self._key,
            self._policy.hash,
            clock=self._clock,
            rng=self._rng,
            answer_timeout_ns=config.answer_timeout_ms * _NS_PER_MS,
        )
        return Submissions(
            link,
            intents,
            self.identity,
            clock=self._clock,
            backoff=Backoff(
                self._rng,
                config.reconnect_initial_ms * _NS_PER_MS,
                config.reconnect_max_ms * _NS_PER_MS,
            ),
            sink=self._submitter,
            cancel_inherited=config.crash_policy == "cancel",
        )

    async def _until_linked(self) -> None:
        waits = [asyncio.ensure_future(e.wait()) for e in (self._linked, self.stop_requested)]
        done, pending = await asyncio.wait(
            waits,
            timeout=self.config.start_patience_ms / 1_000,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in pending:
            task.cancel()
        if not done:
            self._log.error("execution_away", waited_ms=self.config.start_patience_ms)
            self._end(EXIT_UNAVAILABLE)

    async def _stop(self) -> None:
        self._stopping = True
        self._files.gone()
        if self._tasks and self._linked.is_set():
            await self._wind_up()
        await asyncio.to_thread(self._submitter.stop)
        self._signals.stop()
        for subscription in self._subscriptions:
            subscription.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._write("stopped")
        await self._bus.close()
        self._log.info("phase_stopped", exit_code=self.exit_code)

    async def _wind_up(self) -> None:
        """on_stop, then the crash policy: "cancel" ends working orders, "hold" leaves them."""
        try:
            self.desk.stop()
        except Exception as fault:
            self._log.fault("strategy_fault", fault)
            self.exit_code = EXIT_STRATEGY
        if self.config.crash_policy == "hold":
            return
        for order in self.desk.working:
            self.desk.cancel(order)
        self._note_drained()
        try:
            await asyncio.wait_for(self._drained.wait(), self.config.drain_ms / 1_000)
        except TimeoutError:
            self._log.warn("orders_left_working", count=len(self.desk.working))

    def _end(self, exit_code: int) -> None:
        if not self.stop_requested.is_set():
            self.exit_code = exit_code
            self.stop_requested.set()

    # -- events ----------------------------------------------------------------------------------

    async def _read_history(self, earlier_run: bool) -> None:
        """Follow the own account's reports; after an earlier run, all of them first: positions."""
        subscription = await subscribe_live(
            self._bus,
            topology.EXECUTION_REPORT,
            clock=self._clock,
            start="all" if earlier_run else "new",
            account=self.identity.account,
        )
        self._subscriptions.append(subscription)
        if not earlier_run:
            self._history_read.set()
        self._spawn(self._take_reports(subscription), "reports")
        try:
            await asyncio.wait_for(self._history_read.wait(), HISTORY_WAIT_S)
        except TimeoutError:
            self._history_read.set()  # the stream holds nothing of this account

    async def _take_reports(self, subscription: LiveSubscription[ExecutionReport]) -> None:
        async for batch in subscription.batches():
            for delivery in batch:
                if self._history_read.is_set():
                    self.desk.on_execution_report(delivery.message)
                    self._note_drained()
                    continue
                self.desk.remember(delivery.message)
                if delivery.envelope.pending == 0:
                    self._history_read.set()

    async def _listen(self) -> None:
        leases = await subscribe_live(
            self._bus, topology.RISK_LEASE, clock=self._clock, account=self.identity.account
        )
        self._follow(leases, self._take_lease, "leases")
        for symbol in self.config.symbols:
            bus, clock, venue = self._bus, self._clock, self._mesh.venue
            books = await subscribe_live(
                bus, topology.BOOK_UPDATE, clock=clock, venue=venue, symbol=symbol
            )
            trades = await subscribe_live(
                bus, topology.TRADE_PRINT, clock=clock, venue=venue, symbol=symbol
            )
            self._follow(books, self._take_book, f"books.{symbol}")
            self._follow(trades, self._take_trade, f"trades.{symbol}")

    def _take_lease(self, lease: RiskLease) -> None:
        self.desk.on_risk_lease(lease)

    def _take_book(self, update: BookUpdate) -> None:
        self.desk.on_book_update(update.symbol, update)

    def _take_trade(self, trade: TradePrint) -> None:
        self.desk.on_trade_print(trade)

    def _follow(
        self, subscription: LiveSubscription[M], take: Callable[[M], None], name: str
    ) -> None:
        self._subscriptions.append(subscription)
        self._spawn(self._pass_on(subscription, take), name)

    async def _pass_on(self, subscription: LiveSubscription[M], take: Callable[[M], None]) -> None:
        async for batch in subscription.batches():
            for number, delivery in enumerate(batch, 1):
                if self._stopping:
                    break
                take(delivery.message)
                if number % YIELD_EVERY == 0:
                    await asyncio.sleep(0)  # outcomes and reports come between

    # -- results of the submitting thread ----------------------------------------------------------

    def _post(self, call: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(self._guarded, call)

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as fault:
            self._log.fault("strategy_fault", fault)
            self._end(EXIT_STRATEGY)

    def on_outcome(self, intent_id: bytes, outcome: Outcome, stamps: Stamps) -> None:
        """A submission ended."""
        self.desk.on_outcome(intent_id, outcome, stamps)
        order = self.desk.find(intent_id)
        if order is not None and isinstance(outcome, Accepted):
            self._latencies.add(order.stamps)
        self._note_drained()

    def on_cancel_refused(self, intent_id: bytes, denial: Rejected) -> None:
        """A cancel may be asked again."""
        self._log.warn("cancel_refused", intent_id=intent_id, reason=denial.reason.name)
        self.desk.on_cancel_refused(intent_id)

    def on_link(self, ready: LinkReady | None, detail: str) -> None:
        """The link came up or went down."""
        if ready is not None:
            self._log.info("link_up", exec_epoch=ready.exec_epoch, state=ready.state.name)
            self._linked.set()
            return
        self._log.warn("link_down", detail=detail)
        if not self._linked.is_set() and detail.startswith(_REFUSALS):
            self._log.error("link_refused", detail=detail)
            self._end(EXIT_REFUSED)

    def on_fatal(self, error: Exception) -> None:
        """The submitting thread has ended."""
        self._log.fault("submitter_failed", error)
        self._end(EXIT_IO)

    def _note_drained(self) -> None:
        if self._stopping and not self.desk.working:
            self._drained.set()

    # -- tasks -------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        self._tasks.append(asyncio.ensure_future(self._watched(work, name)))

    async def _watched(self, work: Coroutine[object, object, None], name: str) -> None:
        try:
            await work
        except Exception as fault:
            self._log.fault("task_failed", fault, task=name)
            self._end(EXIT_STRATEGY)

    async def _watch_bus(self, bus: Bus) -> None:
        waits = [asyncio.ensure_future(e.wait()) for e in (bus.closed, self.stop_requested)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        if bus.closed.is_set() and not self.stop_requested.is_set():
            self._log.error("bus_gone")
            self._end(EXIT_UNAVAILABLE)

    async def _write_status(self) -> None:
        while not self._stopping:
            self._write("running")
            due_ns = self._clock.boottime_ns() + STATUS_EVERY_NS
            waits = [
                asyncio.ensure_future(self._clock.sleep_until(due_ns)),
                asyncio.ensure_future(self.stop_requested.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()
            if self.stop_requested.is_set():
                return

    def _write(self, state: str) -> None:
        self._files.write(
            state,
            self.desk.counts,
            self._latencies,
            working=len(self.desk.working),
            positions={s: self.desk.position_lots(s) for s in self.config.symbols},
            signals_published=self._signals.published,
            signals_dropped=self._signals.dropped,
            last_lsn=self.desk.last_lsn,
        )
