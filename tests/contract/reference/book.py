"""The L2 book as two dicts: the slow twin that titan_book is compared with.

Owns the same rules written the plain way. Must never import titan_book.
"""

from __future__ import annotations

OK, IGNORED, NOT_READY, GAP, CROSSED, BAD_LEVEL = range(6)
EMPTY, SYNCING, LIVE, STATE_GAP, STATE_CROSSED = range(5)
SPOT, USDM, COINM, BYBIT, CHAINED = range(1, 6)
Levels = list[tuple[int, int]]
MAX_TICKS, MAX_LOTS = 1 << 40, 1 << 42


class DictBook:
    """Same verbs and codes as titan_book.OrderBook, no bound on depth."""

    def __init__(self, rule: int) -> None:
        self.rule = rule
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.last_update_id = 0
        self.state = EMPTY

    def _apply(self, update_id: int, bids: Levels, asks: Levels) -> int:
        for side, levels in zip(self.sides, (bids, asks), strict=True):
            for ticks, lots in levels:
                if not 0 < ticks <= MAX_TICKS or not 0 <= lots <= MAX_LOTS:
                    self.state = STATE_GAP
                    return BAD_LEVEL
                if lots:
                    side[ticks] = lots
                else:
                    side.pop(ticks, None)
        self.last_update_id = update_id
        return OK

    def _is_crossed(self) -> bool:
        bids, asks = self.sides
        return bool(bids) and bool(asks) and max(bids) >= min(asks)

    def apply_snapshot(self, update_id: int, bids: Levels, asks: Levels) -> int:
        self.sides = ({}, {})
        self.last_update_id = 0
        code = self._apply(update_id, bids, asks)
        if code:
            return code
        if self._is_crossed():
            self.state = STATE_CROSSED
            return CROSSED
        self.state = LIVE if self.rule in (BYBIT, CHAINED) else SYNCING
        return OK

    def _sequence(self, first: int, last: int, prev: int) -> int:
        held, syncing = self.last_update_id, self.state == SYNCING
        if self.rule in (SPOT, BYBIT):
            if last <= held:
                return IGNORED
            start = last if self.rule == BYBIT else first
            fits = start <= held + 1 if syncing else start == held + 1
            return OK if fits else GAP
        if self.rule == CHAINED and last <= held:
            return IGNORED
        if prev == held and last >= held:
            return OK
        if last < held or (last == held and not syncing):
            return IGNORED
        return OK if syncing and first <= held <= last else GAP

    def apply_delta(self, first: int, last: int, prev: int, bids: Levels, asks: Levels) -> int:
        if self.rule == BYBIT and last == 1:
            return self.apply_snapshot(last, bids, asks)
        if self.state in (EMPTY, STATE_GAP):
            return NOT_READY if self.state == EMPTY else GAP
        code = self._sequence(first, last, prev)
        if code:
            self.state = STATE_GAP if code == GAP else self.state
            return code
        code = self._apply(last, bids, asks)
        if code:
            return code
        self.state = STATE_CROSSED if self._is_crossed() else LIVE
        return CROSSED if self.state == STATE_CROSSED else OK

    def levels(self, side: int, limit: int) -> Levels:
        return sorted(self.sides[side].items(), reverse=side == 0)[:limit]

    def walk(self, side: int, lots: int, limit_ticks: int) -> tuple[int, int, int, int, int]:
        filled = notional = worst = levels = 0
        held = self.levels(side, len(self.sides[side]))
        for ticks, here in held:
            beyond = limit_ticks and (ticks < limit_ticks if side == 0 else ticks > limit_ticks)
            if filled == lots or beyond:
                break
            take = min(here, lots - filled)
            filled, notional, worst, levels = (
                filled + take,
                notional + take * ticks,
                ticks,
                levels + 1,
            )
        if not filled:
            return 0, worst, levels, 0, 0
        best = held[0][0]
        vwap = notional * 10**6 // filled if side == 0 else -(-notional * 10**6 // filled)
        paid = best * 10**6 - vwap if side == 0 else vwap - best * 10**6
        return filled, worst, levels, vwap, -(-paid // best)

    def imbalance_ppm(self, levels: int) -> int:
        bid, ask = (sum(lots for _, lots in self.levels(side, levels)) for side in (0, 1))
        return (bid - ask) * 10**6 // (bid + ask) if bid + ask else 0
