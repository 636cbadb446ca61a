"""What an author subclasses: handlers that are called, and a few verbs to act with.

Owns the author's vocabulary. Must never know threads, sockets, the bus or protobuf; everything
goes through the desk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Unpack

from titan_sdk.allowance import Allowance
from titan_sdk.book import Book
from titan_sdk.config import PhaseConfig
from titan_sdk.instruments import Instrument, Wish
from titan_sdk.intent import Intent
from titan_sdk.market import Bar, Trade
from titan_sdk.orders import OrderHandle, Rejected, Report
from titan_sdk.vocabulary import Side

if TYPE_CHECKING:
    from titan_sdk.desk import Desk


class Strategy:
    """One trading phase. Override the handlers that matter; all are called from one thread, one
    at a time.

    Decisions belong on `now_ns`, the recorded time of the market: it runs at the speed of the
    replay.
    """

    phase_id: ClassVar[str]
    """Name of the phase: of its [phase.NAME] settings, its keys and its budget."""
    config_type: ClassVar[type[PhaseConfig]] = PhaseConfig
    """Frozen dataclass of the phase's settings."""
    bar_interval_ns: ClassVar[int] = 0
    """Length of the bars of on_bar in recorded time; 0 = no bars."""

    def __init__(self, desk: Desk, config: PhaseConfig) -> None:
        self.desk = desk
        self.config = config

    # -- handlers --------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Before the first event."""

    def on_book(self, book: Book) -> None:
        """After each change of a live book."""

    def on_trade(self, trade: Trade) -> None:
        """After each public trade."""

    def on_bar(self, bar: Bar) -> None:
        """After a bar closed."""

    def on_report(self, order: OrderHandle, report: Report) -> None:
        """After each step of an own order's life; `order` has it applied already."""

    def on_rejected(self, order: OrderHandle, rejected: Rejected) -> None:
        """When an intent was denied, here or at the gate."""

    def on_lease(self, allowance: Allowance) -> None:
        """When a newer lease arrived."""

    def on_timer(self, name: str) -> None:
        """When a timer of `every` is due in recorded time."""

    def on_stop(self) -> None:
        """Before the phase ends; working orders are handled by the crash policy afterwards."""

    # -- what is known ---------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """Recorded time of the newest event, UNIX ns."""
        return self.desk.now_ns

    @property
    def may_open(self) -> bool:
        """True when new risk would pass the lease now."""
        return self.desk.may_open

    def book(self, symbol: str) -> Book:
        """The L2 book of a symbol of the configuration."""
        return self.desk.book(symbol)

    def instrument(self, symbol: str) -> Instrument:
        """Grid and limits of a symbol."""
        return self.desk.instrument(symbol)

    def position_lots(self, symbol: str) -> int:
        """Own filled position, signed lots."""
        return self.desk.position_lots(symbol)

    # -- verbs -----------------------------------------------------------------------------------

    def every(self, name: str, interval_ns: int) -> None:
        """Call on_timer(name) each interval_ns of recorded time."""
        self.desk.every(name, interval_ns)

    def buy(self, symbol: str, **wish: Unpack[Wish]) -> OrderHandle:
        """Build and submit a buy; see Wish for the arguments. A bad one raises IntentInvalid."""
        return self.submit(self.wish(symbol, Side.BUY, **wish))

    def sell(self, symbol: str, **wish: Unpack[Wish]) -> OrderHandle:
        """Build and submit a sell; see Wish for the arguments. A bad one raises IntentInvalid."""
        return self.submit(self.wish(symbol, Side.SELL, **wish))

    def wish(self, symbol: str, side: Side, **wish: Unpack[Wish]) -> Intent:
        """Build an intent without submitting it; the book's mid becomes its arrival price."""
        wish.setdefault("arrival_mid_half_ticks", self.book(symbol).mid_half_ticks)
        return self.instrument(symbol).intent(side, **wish)

    def submit(self, intent: Intent) -> OrderHandle:
        """Hand an intent over. Never blocks, never raises a denial: read the handle, or wait for
        on_rejected.
        """
        return self.desk.submit(intent)

    def cancel(self, order: OrderHandle) -> None:
        """Ask to cancel a working order; asking at each event is harmless."""
        self.desk.cancel(order)
