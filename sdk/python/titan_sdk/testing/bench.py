"""A bench for one strategy: desk, fake Execution and a manual clock, wired as the runner wires
the real ones.

Owns the wiring and the replay loop. Must never know a network.
"""

from __future__ import annotations

from collections.abc import Iterable

from titan_mesh.clock import ManualClock
from titan_mesh.ids import IdSource

from titan_sdk.config import PhaseConfig
from titan_sdk.desk import Desk
from titan_sdk.instruments import Instruments
from titan_sdk.intent import Identity
from titan_sdk.market import Trade
from titan_sdk.strategy import Strategy
from titan_sdk.testing.execution import FakeExecution, Gate
from titan_sdk.testing.session import BookEvent, SessionEvent

LEASE_EVERY_NS = 1_000_000_000


class Bench:
    """Replays events through a strategy. Time is the events' recorded time."""

    def __init__(
        self,
        strategy_class: type[Strategy],
        config: PhaseConfig,
        instruments: Instruments,
        *,
        account: str = "paper-main",
        policy_hash: bytes = bytes(32),
        clock: ManualClock | None = None,
        ids: IdSource,
        gate: Gate | None = None,
    ) -> None:
        self.clock = clock if clock is not None else ManualClock()
        self.execution = FakeExecution(self.clock, gate=gate)
        self.desk = Desk(
            Identity(strategy_class.phase_id, account, policy_hash),
            instruments,
            config.symbols,
            outbound=self.execution,
            clock=self.clock,
            ids=ids,
        )
        self.strategy = strategy_class(self.desk, config)
        self.desk.bind(self.strategy)
        self.execution.attach(self.desk)
        self._lease_at_ns = 0
        self._now_ns = 0

    def play(self, events: Iterable[SessionEvent]) -> None:
        """Start, replay, stop."""
        self.desk.start()
        for event in events:
            self.feed(event)
        self.desk.stop()

    def feed(self, event: SessionEvent) -> None:
        """One event: time moves to it, Execution answers what came before it, the strategy hears
        it.
        """
        if self._now_ns and event.recorded_ns > self._now_ns:
            self.clock.advance(event.recorded_ns - self._now_ns)
        self._now_ns = max(self._now_ns, event.recorded_ns)
        if self._now_ns >= self._lease_at_ns:
            self._lease_at_ns = self._now_ns + LEASE_EVERY_NS
            self.execution.grant()
        self.execution.step()
        if isinstance(event, BookEvent):
            self.desk.on_book_update(event.symbol, event)
        else:
            self.execution.on_trade(
                Trade(
                    event.symbol,
                    event.recorded_ns,
                    event.event_time_ns,
                    event.price_ticks,
                    event.qty_lots,
                    event.seller_is_taker,
                )
            )
            self.desk.on_trade_print(event)
