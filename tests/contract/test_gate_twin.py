"""The compiled gate against its slow twin, on random days."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from contract.reference import gate as twin
from titan.fastpath.v1 import frames_pb2 as frames
from titan.risk.v1 import lease_pb2
from titan.trading.v1 import order_pb2, reject_reason_pb2
from titan_mesh.money import nanos_of
from titan_testkit.engine_rig import MS, PHASE, EngineRig

STEPS = 1_500
SEEDS = 6


def tight(policy):
    """Limits near enough that random orders meet each of them."""
    policy["account"].update(
        max_gross_notional="9000",
        equity="2000",
        max_leverage_pct=420,
        max_daily_loss="40",
        max_messages_per_second=40,
    )
    policy["instruments"][0].update(
        max_order_qty_lots="60",
        max_order_notional="3300",
        max_position_lots="62",
        price_collar_ppm=25,
        max_impact_ppm=2,
        max_book_age_ms=400,
        max_open_orders=2,
    )
    policy["phases"][0].update(
        max_notional="8000", max_daily_loss="30", max_repeats_per_minute=10_000
    )


def limits_of(rig):
    policy = rig.policy.pb
    account, phase, of = policy.account, policy.phases[0], policy.instruments[0]
    spec = rig.instruments[of.symbol].spec
    return twin.Limits(
        per_tick_lot=spec.notional_nanos_per_tick_lot,
        min_qty=spec.min_qty_lots,
        max_qty=spec.max_qty_lots,
        min_notional=nanos_of(spec.min_notional),
        max_order_qty=of.max_order_qty_lots,
        max_order_notional=nanos_of(of.max_order_notional),
        max_position=of.max_position_lots,
        collar_ppm=of.price_collar_ppm,
        impact_ppm=of.max_impact_ppm,
        book_age_ns=of.max_book_age_ms * MS,
        max_open=of.max_open_orders,
        phase_notional=nanos_of(phase.max_notional),
        account_loss=nanos_of(account.max_daily_loss),
        phase_loss=nanos_of(phase.max_daily_loss),
        gross=nanos_of(account.max_gross_notional),
        equity=nanos_of(account.equity),
        leverage_pct=account.max_leverage_pct,
        messages=account.max_messages_per_second,
        reserve_pct=account.cancel_reserve_pct,
        max_ttl_ns=policy.timing.max_intent_ttl_ms * MS,
    )


class Day:
    """One engine and the twin's picture of it, moved together."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.rig = EngineRig(tight).open()
        self.limits = limits_of(self.rig)
        self.seen = twin.Picture(now_ns=self.rig.now_ns)
        self.working = {}
        self.sent_ns = []
        self.mid = 600_000
        self.lease()
        self.quote()

    def lease(self):
        """A lease, usually a good one."""
        pick = self.chance.choice
        score = pick([100, 100, 100, 80, 70, 69])
        state = pick([1, 1, 1, 1, 1, 2, 3])
        gross = pick([10_000, 9_000, 2_000]) * 10**9
        leverage = pick([500, 420, 100])
        budget = pick([9_000, 6_000, 1_500, 0]) * 10**9
        ttl_ms = pick([3000, 500, 50])
        assert self.rig.lease(
            truth_score=score,
            state=state,
            max_gross_notional_nanos=gross,
            max_leverage_pct=leverage,
            budgets=[
                lease_pb2.PhaseBudget(phase_id=PHASE, max_notional_nanos=budget, allowed=budget > 0)
            ],
            ttl_ms=ttl_ms,
        )
        seen = self.seen
        seen.leased, seen.lease_state, seen.truth_score = True, state, score
        seen.max_gross, seen.max_leverage_pct, seen.budget = gross, leverage, budget
        seen.lease_expires_ns = self.rig.now_ns + ttl_ms * MS

    def quote(self):
        """A book, sometimes a bad one."""
        self.mid += self.chance.randrange(-30, 31)
        spread = self.chance.choice([1, 1, 2, 5, -1])
        lots = self.chance.choice([3, 10, 200])
        bid, ask = self.mid, self.mid + spread
        age_ns = self.chance.choice([0, 0, 0, 100, 401]) * MS
        self.rig.book(bid, ask, lots, age_ns=age_ns)
        book = twin.Book(
            bids=[(bid - i, lots) for i in range(5)],
            asks=[(ask + i, lots) for i in range(5)],
            stamp_ns=self.rig.now_ns - age_ns,
        )
        self.seen.book = book
        if book.live:
            self.seen.mid_half_ticks = bid + ask

    def wish(self):
        """An order, good or not."""
        pick = self.chance.choice
        side = pick([twin.BUY, twin.SELL])
        away = self.chance.randrange(-20, 21)
        return twin.Wish(
            side=side,
            order_type=pick([twin.LIMIT] * 5 + [twin.MARKET]),
            time_in_force=pick([twin.GTC, twin.IOC, twin.FOK, twin.POST_ONLY]),
            qty=pick([1, 2, 5, 9, 20, 55, 61, 150]),
            price=self.mid + away,
            reduce_only=self.chance.random() < 0.2,
            expires_ns=self.rig.now_ns + pick([*[5_000] * 20, 60_000, 60_001, 0]) * MS,
        )

    def compare(self):
        """Both judge the same wish; an approved one is sent and lives."""
        wish = self.wish()
        self.seen.messages = sum(1 for at in self.sent_ns if self.counts(at))
        expected = twin.judge(wish, self.seen, self.limits)
        intent = self.rig.intent(
            side=wish.side,
            order_type=wish.order_type,
            time_in_force=wish.time_in_force,
            qty_lots=wish.qty,
            price_ticks=wish.price,
            reduce_only=wish.reduce_only,
            expires_at_boottime_ns=wish.expires_ns,
        )
        answer = self.rig.prepare(intent)
        if isinstance(answer, frames.Refused):
            name = reject_reason_pb2.RejectReason.Name(answer.rejection.reason)
            assert name == f"REJECT_REASON_{expected}", (wish, self.seen)
            return expected
        assert expected == "", (wish, self.seen)
        accepted = self.rig.confirm(answer)
        if isinstance(accepted, frames.Refused):
            # CONFIRM alone asks that the lease outlives the request.
            assert accepted.rejection.field == "lease.expires", accepted
            self.rig.abort(intent.intent_id)
            return ""
        self.sent_ns.append(self.rig.now_ns)
        self.live(wish, accepted.client_order_id)
        return ""

    def counts(self, at_ns):
        """A message counts while its bucket of 50 ms is one of the newest twenty-one."""
        bucket = 50 * MS
        return self.rig.now_ns // bucket - at_ns // bucket < 21

    def live(self, wish, order):
        """The venue takes it: fills, rests or ends."""
        self.rig.ack(order)
        rests = wish.time_in_force in (twin.GTC, twin.POST_ONLY)
        filled = self.chance.choice([0, 1, wish.qty])
        self.fill(wish, order, filled)
        if filled < wish.qty and rests and wish.order_type == twin.LIMIT:
            state = twin.Open(wish.side, wish.price, wish.qty - filled, rests)
            self.working[order] = state
            self.seen.open.append(state)
        elif filled < wish.qty:
            self.rig.canceled(order, filled, expired=True)

    def fill(self, wish, order, lots):
        """Part of it, or all."""
        if not lots:
            return
        self.rig.trade(order, lots, lots, wish.qty - lots, ticks=wish.price)
        sign = 1 if wish.side == twin.BUY else -1
        self.seen.position_lots += sign * lots
        self.seen.cash_nanos -= sign * lots * wish.price * self.limits.per_tick_lot
        self.seen.fee_nanos += 1000
        self.seen.last_fill_ticks = wish.price

    def end_one(self):
        """A working order is cancelled at the venue."""
        if not self.working:
            return
        order = self.chance.choice(sorted(self.working))
        self.seen.open.remove(self.working.pop(order))
        filled = sum(
            r.last_qty_lots for r in self.rig.records if r.client_order_id == order and r.trade_id
        )
        self.rig.canceled(order, filled)

    def move(self):
        """Something other than an order happens."""
        self.rig.step(self.chance.choice([0, 1, 20, 60]) * MS)
        self.seen.now_ns = self.rig.now_ns
        roll = self.chance.random()
        if roll < 0.35:
            self.quote()
        elif roll < 0.5:
            self.lease()
        elif roll < 0.6:
            self.end_one()


def day(seed):
    found = Counter()
    today = Day(seed)
    for _ in range(STEPS):
        today.move()
        found[today.compare()] += 1
    return found


def test_both_gates_deny_for_the_same_reason_and_every_reason_occurs():
    found = Counter()
    for seed in range(SEEDS):
        found.update(day(seed))
    wanted = {
        "",
        "INTENT_EXPIRED",
        "TTL_TOO_LONG",
        "NOT_REDUCING",
        "LEASE_EXPIRED",
        "TRADING_DEFENSIVE",
        "TRADING_HALTED",
        "TRUTH_BELOW_THRESHOLD",
        "ORDER_TYPE_NOT_ALLOWED",
        "ORDER_QTY_LIMIT",
        "ORDER_NOTIONAL_LIMIT",
        "BOOK_NOT_LIVE",
        "BOOK_STALE",
        "PRICE_COLLAR",
        "IMPACT_LIMIT",
        "POSITION_LIMIT",
        "GROSS_EXPOSURE_LIMIT",
        "LEVERAGE_LIMIT",
        "PHASE_BUDGET",
        "OPEN_ORDERS_LIMIT",
        "SELF_TRADE",
    }
    assert wanted <= found.keys(), wanted - found.keys()


@pytest.mark.parametrize("side", [order_pb2.SIDE_BUY, order_pb2.SIDE_SELL])
def test_the_twin_walks_the_book_as_the_core_does(side):
    rig = EngineRig(lambda p: p["instruments"][0].update(max_impact_ppm=1)).open()
    for lots in range(1, 60):
        rig.book(600_000, 600_001, 10)
        book = twin.Book(
            bids=[(600_000 - i, 10) for i in range(5)], asks=[(600_001 + i, 10) for i in range(5)]
        )
        limit = 600_004 if side == order_pb2.SIDE_BUY else 599_997
        intent = rig.intent(side=side, qty_lots=max(lots, 2), price_ticks=limit)
        answer = rig.prepare(intent)
        expected = book.impact_ppm(side, max(lots, 2), limit)
        assert isinstance(answer, frames.Refused) == (expected > 1)
        if isinstance(answer, frames.Refused):
            assert answer.rejection.value == expected
        else:
            rig.abort(intent.intent_id)
