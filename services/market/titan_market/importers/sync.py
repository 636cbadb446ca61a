"""Snapshot and diffs of one symbol under its venue's rule, as one unbroken chain.

Owns the buffering that the venues' documents ask for. Must never bridge a gap: after one,
nothing comes out until a snapshot that later diffs continue.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from titan_book import BookCode, BookState, OrderBook, SequenceRule
from titan_mesh.errors import TitanError

from titan_market.events import DepthDiff, Levels, Snapshot

MAX_HELD_DIFFS = 4_096


@dataclass(frozen=True, slots=True)
class ChainedDelta:
    """A diff that continues the update before it exactly: prev_update_id -> update_id."""

    symbol: str
    recorded_ns: int
    venue_ns: int
    prev_update_id: int
    update_id: int
    bids: Levels
    asks: Levels


BookEvent = Snapshot | ChainedDelta


class DepthSync:
    """Feeds one book; each call answers what may be published because of it."""

    def __init__(self, rule: SequenceRule) -> None:
        self.book = OrderBook(rule)
        self.gaps = 0
        self.ignored = 0
        self.crossed = 0
        self._held: deque[DepthDiff] = deque(maxlen=MAX_HELD_DIFFS)

    def on_snapshot(self, snapshot: Snapshot) -> list[BookEvent]:
        """A newer snapshot replaces the book; held diffs that follow it are applied at once."""
        healthy = self.book.state not in (BookState.EMPTY, BookState.GAP)
        if healthy and snapshot.update_id <= self.book.last_update_id:
            self.ignored += 1
            return []
        code = self.book.apply_snapshot(
            snapshot.update_id, snapshot.bids, snapshot.asks, snapshot.recorded_ns
        )
        self._check_levels(code, snapshot.symbol, snapshot.update_id)
        self.crossed += code == BookCode.CROSSED
        published: list[BookEvent] = [snapshot]
        held = list(self._held)
        self._held.clear()
        for diff in held:
            published.extend(self.on_diff(diff))
        return published

    def on_diff(self, diff: DepthDiff) -> list[BookEvent]:
        """One diff; held while no snapshot covers it."""
        if self.book.state in (BookState.EMPTY, BookState.GAP):
            self._held.append(diff)
            return []
        return self._apply(diff)

    def _apply(self, diff: DepthDiff) -> list[BookEvent]:
        before = self.book.last_update_id
        code = self.book.apply_delta(
            diff.first_update_id,
            diff.update_id,
            diff.prev_update_id,
            diff.bids,
            diff.asks,
            diff.recorded_ns,
        )
        self._check_levels(code, diff.symbol, diff.update_id)
        if code == BookCode.IGNORED:
            self.ignored += 1
            return []
        if code == BookCode.GAP:
            # The next snapshot may fit before it.
            self.gaps += 1
            self._held.append(diff)
            return []
        self.crossed += code == BookCode.CROSSED
        return [
            ChainedDelta(
                symbol=diff.symbol,
                recorded_ns=diff.recorded_ns,
                venue_ns=diff.venue_ns,
                prev_update_id=before,
                update_id=diff.update_id,
                bids=diff.bids,
                asks=diff.asks,
            )
        ]

    @staticmethod
    def _check_levels(code: int, symbol: str, update_id: int) -> None:
        if code == BookCode.BAD_LEVEL:
            raise TitanError(
                code="BOOK_BAD_LEVEL",
                message=f"update {update_id} of {symbol} holds an impossible level",
                field="update_id",
                value=str(update_id),
                limit="price > 0, size >= 0, inside the book's bounds",
                hint="The capture is damaged or its instrument file has the wrong grid.",
            )
