"""Policy and instruments into an engine: what does not fit is refused by name."""

from __future__ import annotations

import pytest
from titan_execution.gateway.build import build_engine
from titan_mesh.errors import PolicyError
from titan_mesh.instruments import load_instruments
from titan_testkit.engine_rig import ACCOUNT, COMPOSE, VENUE, policy_with


def build(change=None, account=ACCOUNT, venue=VENUE, instruments=None):
    found = load_instruments(COMPOSE / "instruments") if instruments is None else instruments
    return build_engine(account, venue, policy_with(change), found, slots_log2=4)


def test_the_policy_of_paper_fits():
    host = build()
    assert host.next_lsn == 1
    assert not host.halted


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"account": "other"}, "account.account"),
        ({"venue": "binance"}, "venues"),
        ({"instruments": {}}, "instruments.symbol"),
        (
            {"change": lambda p: p["instruments"][0].update(symbol="BTCUSD_PERP")},
            "instruments.symbol",
        ),
    ],
)
def test_what_does_not_fit_is_named(arguments, field):
    with pytest.raises(PolicyError) as fault:
        build(**arguments)
    assert (fault.value.code, fault.value.field) == ("POLICY_MISMATCH", field)


def test_a_planted_bug_must_exist():
    with pytest.raises(KeyError):
        build_engine(
            ACCOUNT,
            VENUE,
            policy_with(),
            load_instruments(COMPOSE / "instruments"),
            slots_log2=4,
            plant="nonsense",
        )
