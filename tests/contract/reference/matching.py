"""The paper venue's fill model with dicts and lists: the slow twin of its compiled matching.

Owns the same rules written the plain way. Must never import titan_market.
"""

from __future__ import annotations

from dataclasses import dataclass

BID, ASK = 0, 1
UNKNOWN_QUEUE = 1 << 42
Fills = list[tuple[int, int, int]]


@dataclass
class Resting:
    """One own order in the book."""

    handle: int
    side: int
    ticks: int
    leaves: int
    ahead: int


class DictMarket:
    """Same verbs as titan_market.venue.matching.Market, without sequence rules."""

    def __init__(self) -> None:
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.resting: list[Resting] = []
        self.live = False

    def touch(self, side: int) -> int:
        held = self.sides[side]
        return (max(held) if side == BID else min(held)) if held else 0

    def on_book(self, whole: bool, bids: dict[int, int], asks: dict[int, int]) -> Fills:
        if whole:
            self.sides = ({}, {})
        for held, changed in zip(self.sides, (bids, asks), strict=True):
            held.update(changed)
            for ticks in [t for t, lots in held.items() if not lots]:
                del held[ticks]
        bid, ask = self.touch(BID), self.touch(ASK)
        self.live = not (bid and ask and bid >= ask)
        if not self.live:
            return []
        for order in self.resting:
            order.ahead = min(order.ahead, self.sides[order.side].get(order.ticks, 0))
        fills = []
        for order in self.resting:
            buys = order.side == BID
            taken = sum(lots for lots, _ in self.take(buys, order.leaves, order.ticks))
            if taken:
                order.leaves -= taken
                fills.append((order.handle, taken, order.ticks))
        self._drop_filled()
        return fills

    def on_trade(self, ticks: int, lots: int, seller: bool) -> Fills:
        fills: Fills = []
        given = 0
        for order in self.resting:
            if order.side != (BID if seller else ASK):
                continue
            through = ticks < order.ticks if seller else ticks > order.ticks
            if not through and ticks != order.ticks:
                continue
            beyond = lots if through else lots - order.ahead
            order.ahead = 0 if through else max(order.ahead - lots, 0)
            part = min(beyond - given, order.leaves)
            if part > 0:
                given += part
                order.leaves -= part
                fills.append((order.handle, part, order.ticks))
        self._drop_filled()
        return fills

    def take(self, buys: bool, lots: int, limit: int) -> list[tuple[int, int]]:
        side = ASK if buys else BID
        held, answer = self.sides[side], []
        while lots and (ticks := self.touch(side)):
            if ticks > limit if buys else ticks < limit:
                break
            here = min(lots, held[ticks])
            held[ticks] -= here
            if not held[ticks]:
                del held[ticks]
            lots -= here
            answer.append((here, ticks))
        return answer

    def rest(self, handle: int, buys: bool, ticks: int, lots: int) -> bool:
        side = BID if buys else ASK
        ahead = self.sides[side].get(ticks, 0) if self.live else UNKNOWN_QUEUE
        self.resting.append(Resting(handle, side, ticks, lots, ahead))
        return True

    def cancel(self, handle: int) -> int:
        for order in self.resting:
            if order.handle == handle:
                self.resting.remove(order)
                return order.leaves
        return 0

    def _drop_filled(self) -> None:
        self.resting = [order for order in self.resting if order.leaves]
