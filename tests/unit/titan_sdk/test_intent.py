"""An intent that breaks a rule cannot be made; one that is made reads the same in both families."""

from decimal import Decimal

import pytest
from titan.trading.v1 import intent_pb2
from titan_mesh import rules
from titan_sdk import Intent, IntentInvalid, OrderType, Side, TimeInForce
from titan_sdk.intent import Identity, decode_intent, encode_intent
from unit.titan_sdk.kit import instruments

IDENTITY = Identity("scavenger", "paper-main", bytes(range(32)))
BTC = instruments().get("BTCUSDT")


def wish(**changes: object) -> Intent:
    fields = {"qty_lots": 10, "price_ticks": 600_000, "rule": "test", **changes}
    fields = {name: value for name, value in fields.items() if value is not None}
    return BTC.intent(Side.BUY, **fields)  # type: ignore[arg-type]


def test_decimals_become_ticks_and_lots() -> None:
    made = wish(qty_lots=None, qty="0.010", price_ticks=None, price=Decimal("60000.1"))
    assert (made.qty_lots, made.price_ticks, made.instrument_version) == (10, 600_001, 1)
    assert BTC.price(made.price_ticks) == Decimal("60000.1")
    assert BTC.qty(made.qty_lots) == Decimal("0.010")
    assert BTC.notional_nanos(600_001, 10) == 600_001_000_000


def test_rounding_has_names() -> None:
    assert BTC.floor_ticks("60000.19") == 600_001
    assert BTC.ceil_ticks("60000.11") == 600_002
    assert BTC.floor_ticks("60000.10") == BTC.ceil_ticks("60000.10") == 600_001


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"price_ticks": None, "price": "60000.15"}, "OFF_TICK", "price"),
        ({"qty_lots": None, "qty": "0.0105"}, "OFF_LOT", "qty"),
        ({"price_ticks": None, "price": 60000.1}, "DECIMAL_INVALID", "price"),
        ({"price_ticks": None, "price": "NaN"}, "DECIMAL_INVALID", "price"),
        ({"price": "60000.1"}, "AMBIGUOUS", "price"),
        ({"qty_lots": None}, "AMBIGUOUS", "qty"),
        ({"qty_lots": 0}, "QTY_LIMIT", "qty_lots"),
        ({"qty_lots": 1_000_001}, "QTY_LIMIT", "qty_lots"),
        ({"qty_lots": 1}, "NOTIONAL_LIMIT", "notional"),
        ({"price_ticks": 600_000.0}, "NOT_INTEGER", "price_ticks"),
        ({"price_ticks": -600_000, "reduce_only": True}, "CONTRACT_RULE", "price_ticks"),
        ({"price_ticks": 10**12 + 1}, "CONTRACT_RULE", "price_ticks"),
        ({"ttl_ms": 0}, "INTENT_TTL", "ttl_ms"),
        ({"rule": ""}, "INTENT_RULE_MISSING", "rule"),
        ({"rule": "x" * 33}, "CONTRACT_RULE", "rule"),
        ({"rule": "with space"}, "CONTRACT_RULE", "rule"),
        ({"inputs": {str(n): n for n in range(17)}}, "CONTRACT_RULE", "inputs"),
        ({"inputs": {"name": "é"}}, "CONTRACT_RULE", "value"),
        ({"inputs": {"": "1"}}, "CONTRACT_RULE", "name"),
        ({"supersedes": b"short"}, "CONTRACT_RULE", "supersedes"),
        ({"time_in_force": TimeInForce.UNSPECIFIED}, "CONTRACT_RULE", "time_in_force"),
        ({"order_type": OrderType(9)}, "CONTRACT_RULE", "order_type"),
        ({"arrival_mid_half_ticks": -1}, "CONTRACT_RULE", "arrival_mid_half_ticks"),
    ],
)
def test_bad_wishes_name_field_value_and_limit(
    changes: dict[str, object], code: str, field: str
) -> None:
    with pytest.raises(IntentInvalid) as caught:
        wish(**changes)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.limit


def test_an_intent_cannot_be_changed() -> None:
    made = wish()
    with pytest.raises(AttributeError):
        made.qty_lots = 11  # type: ignore[misc]


def test_the_services_family_reads_the_same_and_finds_no_fault() -> None:
    made = wish(
        time_in_force=TimeInForce.POST_ONLY,
        reduce_only=True,
        expected_edge_ppm=-3,
        arrival_mid_half_ticks=1_200_001,
        inputs={"ofi": -12, "level": "600000"},
        supersedes=bytes(16),
    )
    payload = encode_intent(made, IDENTITY, bytes(range(16)), 1_700_000_000_000_000_000, 5_000)
    pb = intent_pb2.IntentSignal.FromString(payload)
    assert pb.SerializeToString(deterministic=True) == payload
    assert not list(rules.violations(pb))
    assert (pb.intent_id, pb.phase_id, pb.account) == (bytes(range(16)), "scavenger", "paper-main")
    assert (pb.side, pb.time_in_force, pb.reduce_only) == (1, 4, True)
    assert (pb.expected_edge_ppm, pb.expires_at_boottime_ns) == (-3, 5_000)
    assert [(item.name, item.value) for item in pb.inputs] == [("ofi", "-12"), ("level", "600000")]
    assert decode_intent(payload) == made


def test_an_unknown_symbol_names_those_there_are() -> None:
    with pytest.raises(Exception, match="BTCUSDT") as caught:
        instruments().get("DOGEUSDT")
    assert caught.value.code == "SYMBOL_UNKNOWN"  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="SYMBOL_UNKNOWN"):
        instruments().get("BTCUSD_PERP")  # inverse: book and data only
