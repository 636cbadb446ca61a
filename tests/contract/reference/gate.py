"""The gate written the plain way: the slow twin that the compiled gate is compared with.

Owns the same order of checks in unbounded integers, over a picture that the test keeps. Must never
import the compiled core.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BUY, SELL = 1, 2
LIMIT, MARKET = 1, 2
GTC, IOC, FOK, POST_ONLY = 1, 2, 3, 4
MS = 1_000_000
PPM = 1_000_000


@dataclass
class Open:
    """A reservation or a working order."""

    side: int
    price_ticks: int
    leaves_lots: int
    rests: bool


@dataclass
class Book:
    """Levels best first; live when both sides are there and do not cross."""

    bids: list[tuple[int, int]] = field(default_factory=list)
    asks: list[tuple[int, int]] = field(default_factory=list)
    stamp_ns: int = 0

    @property
    def live(self) -> bool:
        """Believable."""
        return bool(self.bids and self.asks) and self.bids[0][0] < self.asks[0][0]

    def impact_ppm(self, side: int, lots: int, limit_ticks: int) -> int:
        """Distance of the average price from the touch, 1e-6 of the touch, against the taker."""
        levels = self.asks if side == BUY else self.bids
        left, cost, taken = lots, 0, 0
        for ticks, here in levels:
            if left == 0 or (ticks > limit_ticks if side == BUY else ticks < limit_ticks):
                break
            lots_here = min(here, left)
            cost += ticks * lots_here
            taken += lots_here
            left -= lots_here
        if taken == 0:
            return 0
        touch = levels[0][0]
        micro = (
            -(-cost * PPM // taken) if side == BUY else cost * PPM // taken
        )  # rounded against the taker
        return -(-abs(micro - touch * PPM) // touch)


@dataclass
class Picture:
    """Everything the gate looks at, for one symbol and one phase."""

    now_ns: int
    lease_expires_ns: int = 0
    leased: bool = False
    lease_state: int = 2
    truth_score: int = 0
    min_score: int = 70
    max_gross: int = 0
    max_leverage_pct: int = 0
    budget: int | None = None
    halted: bool = False
    linked: bool = True
    reconciled: bool = True
    position_lots: int = 0
    cash_nanos: int = 0
    fee_nanos: int = 0
    last_fill_ticks: int = 0
    mid_half_ticks: int = 0
    open: list[Open] = field(default_factory=list)
    book: Book = field(default_factory=Book)
    messages: int = 0


@dataclass(frozen=True)
class Limits:
    """The policy in integers."""

    per_tick_lot: int
    min_qty: int
    max_qty: int
    min_notional: int
    max_order_qty: int
    max_order_notional: int
    max_position: int
    collar_ppm: int
    impact_ppm: int
    book_age_ns: int
    max_open: int
    phase_notional: int
    account_loss: int
    phase_loss: int
    gross: int
    equity: int
    leverage_pct: int
    messages: int
    reserve_pct: int
    max_ttl_ns: int


@dataclass(frozen=True)
class Wish:
    """The parts of an intent that the gate reads."""

    side: int
    order_type: int
    time_in_force: int
    qty: int
    price: int
    reduce_only: bool
    expires_ns: int


def judge(wish: Wish, seen: Picture, limits: Limits) -> str:
    """Name of the reason that denies it; empty when it passes."""
    if wish.expires_ns <= seen.now_ns:
        return "INTENT_EXPIRED"
    if wish.expires_ns - seen.now_ns > limits.max_ttl_ns:
        return "TTL_TOO_LONG"
    buys = sum(o.leaves_lots for o in seen.open if o.side == BUY)
    sells = sum(o.leaves_lots for o in seen.open if o.side == SELL)
    if wish.reduce_only:
        return _reduction(wish, seen, limits, buys, sells)
    return (
        _permission(seen)
        or _venue(seen, new_risk=True)
        or _shape(wish, limits)
        or _size(wish, limits)
        or _market(wish, seen, limits)
        or _exposure(wish, seen, limits, buys, sells)
        or _loss(seen, limits)
        or _neighbours(wish, seen, limits)
        or _rate(seen, limits, privileged=False)
    )


def _reduction(wish: Wish, seen: Picture, limits: Limits, buys: int, sells: int) -> str:
    room = seen.position_lots - sells if wish.side == SELL else -seen.position_lots - buys
    if wish.qty > room:
        return "NOT_REDUCING"
    if wish.order_type == MARKET and wish.time_in_force not in (IOC, FOK):
        return "ORDER_TYPE_NOT_ALLOWED"
    if wish.qty > limits.max_qty:
        return "ORDER_QTY_LIMIT"
    return _venue(seen, new_risk=False) or _rate(seen, limits, privileged=True)


def _permission(seen: Picture) -> str:
    if seen.halted:
        return "TRADING_HALTED"
    if not seen.leased:
        return "LEASE_MISSING"
    if seen.lease_expires_ns <= seen.now_ns:
        return "LEASE_EXPIRED"
    if seen.lease_state != 1:
        return "TRADING_HALTED" if seen.lease_state == 3 else "TRADING_DEFENSIVE"
    return "TRUTH_BELOW_THRESHOLD" if seen.truth_score < seen.min_score else ""


def _venue(seen: Picture, *, new_risk: bool) -> str:
    if not seen.linked:
        return "VENUE_UNAVAILABLE"
    return "RECOVERING" if new_risk and not seen.reconciled else ""


def _shape(wish: Wish, limits: Limits) -> str:
    if wish.order_type == MARKET and wish.time_in_force not in (IOC, FOK):
        return "ORDER_TYPE_NOT_ALLOWED"
    return "" if limits.min_qty <= wish.qty <= limits.max_qty else "ORDER_QTY_LIMIT"


def _size(wish: Wish, limits: Limits) -> str:
    if wish.qty > limits.max_order_qty:
        return "ORDER_QTY_LIMIT"
    worth = wish.price * wish.qty * limits.per_tick_lot
    within = limits.min_notional <= worth <= limits.max_order_notional
    return "" if within else "ORDER_NOTIONAL_LIMIT"


def _market(wish: Wish, seen: Picture, limits: Limits) -> str:
    book = seen.book
    if not book.live:
        return "BOOK_NOT_LIVE"
    if seen.now_ns - book.stamp_ns > limits.book_age_ns:
        return "BOOK_STALE"
    mid = book.bids[0][0] + book.asks[0][0]
    if abs(2 * wish.price - mid) * PPM // mid > limits.collar_ppm:
        return "PRICE_COLLAR"
    takes = wish.price >= book.asks[0][0] if wish.side == BUY else wish.price <= book.bids[0][0]
    if takes and book.impact_ppm(wish.side, wish.qty, wish.price) > limits.impact_ppm:
        return "IMPACT_LIMIT"
    return ""


def _exposure(wish: Wish, seen: Picture, limits: Limits, buys: int, sells: int) -> str:
    buys += wish.qty if wish.side == BUY else 0
    sells += wish.qty if wish.side == SELL else 0
    worst = seen.position_lots + buys if wish.side == BUY else sells - seen.position_lots
    if worst > limits.max_position:
        return "POSITION_LIMIT"
    half = max(seen.mid_half_ticks or 2 * seen.last_fill_ticks, 2 * wish.price)
    lots = max(abs(seen.position_lots + buys), abs(seen.position_lots - sells))
    gross = half * lots * limits.per_tick_lot // 2
    if gross > min(limits.gross, seen.max_gross):
        return "GROSS_EXPOSURE_LIMIT"
    if gross > min(limits.leverage_pct, seen.max_leverage_pct) * (limits.equity // 100):
        return "LEVERAGE_LIMIT"
    if seen.budget is None:
        return "UNKNOWN_PHASE"
    return "PHASE_BUDGET" if gross > min(limits.phase_notional, seen.budget) else ""


def _loss(seen: Picture, limits: Limits) -> str:
    half = seen.mid_half_ticks or 2 * seen.last_fill_ticks
    worth = int(half * seen.position_lots * limits.per_tick_lot / 2)
    loss = -(seen.cash_nanos + worth - seen.fee_nanos)
    return "DAILY_LOSS_LIMIT" if loss >= min(limits.account_loss, limits.phase_loss) else ""


def _neighbours(wish: Wish, seen: Picture, limits: Limits) -> str:
    if len(seen.open) >= limits.max_open:
        return "OPEN_ORDERS_LIMIT"
    for other in seen.open:
        if other.side == wish.side or not other.rests:
            continue
        if wish.price >= other.price_ticks if wish.side == BUY else wish.price <= other.price_ticks:
            return "SELF_TRADE"
    return ""


def _rate(seen: Picture, limits: Limits, *, privileged: bool) -> str:
    allowed = limits.messages
    if not privileged:
        allowed = allowed * (100 - limits.reserve_pct) // 100
    return "ORDER_RATE" if seen.messages >= allowed else ""
