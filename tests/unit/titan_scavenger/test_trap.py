"""Traps: every move of the state table, and where levels come from."""

import random

import pytest
from titan_scavenger.trap import (
    Break,
    LevelMap,
    Move,
    RollingExtreme,
    Trap,
    TrapRules,
    TrapState,
)

RULES = TrapRules(arm_ticks=40, break_ticks=3, release_ticks=80, confirm_ns=100, cooldown_ns=50)


def look(trap: Trap, at_ns: int, price: int, confirmed: bool = False) -> Move:
    return trap.observe(at_ns, 2 * price, confirmed, RULES)


@pytest.mark.parametrize("side", list(Break))
def test_a_confirmed_break_is_a_breakout(side: Break) -> None:
    trap, sign = Trap("t", side, 1_000), side.value
    assert look(trap, 1, 1_000 - sign * 41) is Move.NOTHING
    assert look(trap, 2, 1_000 - sign * 40) is Move.ARMED
    assert look(trap, 3, 1_000 + sign * 2) is Move.NOTHING
    assert look(trap, 4, 1_000 + sign * 3, confirmed=False) is Move.NOTHING
    assert trap.state is TrapState.BROKEN
    assert look(trap, 5, 1_000 + sign * 5, confirmed=True) is Move.BREAKOUT
    assert trap.state is TrapState.IDLE


@pytest.mark.parametrize("side", list(Break))
def test_a_break_that_comes_back_has_failed(side: Break) -> None:
    trap, sign = Trap("t", side, 1_000), side.value
    look(trap, 1, 1_000 - sign)
    look(trap, 2, 1_000 + sign * 9)
    assert look(trap, 3, 1_000 + sign * 2) is Move.NOTHING, "outside still"
    assert look(trap, 4, 1_000 - sign) is Move.FAILED


def test_a_break_without_confirmation_runs_out_of_time() -> None:
    trap = Trap("t", Break.UP, 1_000)
    look(trap, 1, 999)
    look(trap, 2, 1_010)
    assert look(trap, 102, 1_010) is Move.NOTHING
    assert look(trap, 103, 1_010) is Move.DISARMED


def test_confirmation_inside_of_the_level_fires_nothing() -> None:
    trap = Trap("t", Break.UP, 1_000)
    look(trap, 1, 990, confirmed=True)
    assert look(trap, 2, 1_002, confirmed=True) is Move.NOTHING
    look(trap, 3, 1_004)
    assert look(trap, 4, 1_001, confirmed=True) is Move.NOTHING


def test_price_that_leaves_disarms_and_a_trap_rests_after_it_spoke() -> None:
    trap = Trap("t", Break.UP, 1_000)
    assert look(trap, 1, 990) is Move.ARMED
    assert look(trap, 2, 919) is Move.DISARMED
    assert look(trap, 3, 990) is Move.ARMED, "no rest after a mere retreat"
    look(trap, 4, 1_004)
    assert look(trap, 5, 1_004, confirmed=True) is Move.BREAKOUT
    assert look(trap, 54, 990) is Move.NOTHING
    assert look(trap, 55, 990) is Move.ARMED


def test_a_trap_without_a_level_or_already_beyond_it_does_not_arm() -> None:
    assert look(Trap("t", Break.UP), 1, 0) is Move.NOTHING
    assert look(Trap("t", Break.UP, 1_000), 1, 1_003) is Move.NOTHING


@pytest.mark.parametrize("highest", [True, False])
def test_a_rolling_extreme_equals_a_scan(highest: bool) -> None:
    rng = random.Random(4)
    extreme = RollingExtreme(1_000, 100, highest=highest)
    seen: list[tuple[int, int]] = []
    at_ns, price = 0, 5_000
    for _ in range(3_000):
        at_ns += rng.randrange(1, 20)
        price += rng.randint(-3, 3)
        extreme.add(at_ns, price)
        if not seen or seen[-1][1] != price:
            seen.append((at_ns, price))
        window = [p for t, p in seen if at_ns - 1_000 < t <= at_ns - 100]
        expected = (max(window) if highest else min(window)) if window else 0
        assert extreme.price == expected


def test_levels_move_until_their_trap_is_armed() -> None:
    levels = LevelMap((1_000_000_000_000,), 10, 100)
    traps = {trap.name: trap for trap in levels.traps}
    assert set(traps) == {"high_1000s", "low_1000s", "round_up", "round_down"}
    for at_ns, price in ((1, 5_050), (2, 5_090), (3, 5_010), (20, 5_050)):
        levels.on_price(at_ns, price, price + 1)
    assert (traps["high_1000s"].price, traps["low_1000s"].price) == (5_090, 5_010)
    assert (traps["round_up"].price, traps["round_down"].price) == (5_100, 5_000)
    traps["high_1000s"].state = traps["round_up"].state = TrapState.ARMED
    levels.on_price(40, 5_210, 5_211)
    levels.on_price(60, 5_210, 5_211)
    assert traps["high_1000s"].price == 5_090
    assert (traps["round_up"].price, traps["round_down"].price) == (5_100, 5_200)
