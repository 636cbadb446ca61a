"""The rule interpreter on messages of the contract."""

from __future__ import annotations

import pytest
from titan.dlq.v1.dead_letter_pb2 import DeadLetter
from titan.risk.v1.policy_pb2 import RiskPolicy
from titan.trading.v1.instrument_pb2 import ContractKind, InstrumentSpec
from titan_mesh.rules import violations


def spec(**fields):
    base = {
        "venue": "paper",
        "symbol": "BTCUSDT",
        "version": 1,
        "kind": ContractKind.CONTRACT_KIND_LINEAR,
        "tick_size": "0.1",
        "lot_size": "0.001",
        "min_qty_lots": 1,
        "max_qty_lots": 10,
        "min_notional": "0",
        "notional_nanos_per_tick_lot": 100_000,
        "base_currency": "BTC",
        "settlement_currency": "USDT",
    }
    return InstrumentSpec(**{**base, **fields})


def test_a_valid_message_breaks_nothing():
    assert list(violations(spec())) == []


@pytest.mark.parametrize(
    ("fields", "path", "limit"),
    [
        ({"symbol": ""}, "symbol", "required"),
        ({"symbol": "X" * 25}, "symbol", "at most 24 bytes"),
        ({"symbol": "BTC USDT"}, "symbol", "only characters that the rule allows"),
        ({"version": 0}, "version", "at least 1"),
        ({"maker_fee_ppm": 10_001}, "maker_fee_ppm", "at most 10000"),
        ({"kind": 0}, "kind", "required"),
        ({"kind": 99}, "kind", "a value that the contract declares"),
    ],
)
def test_a_broken_rule_names_path_value_and_limit(fields, path, limit):
    (broken,) = violations(spec(**fields))
    assert (broken.field, broken.limit) == (path, limit)


def test_paths_lead_into_lists_and_sub_messages():
    policy = RiskPolicy()
    policy.instruments.add(symbol="BTCUSDT")
    found = {broken.field for broken in violations(policy)}
    assert {"policy_id", "account", "timing", "phases"} <= found
    assert "instruments[0].max_order_qty_lots" in found


def test_lengths_of_bytes_are_exact_and_long_values_are_cut():
    letter = DeadLetter(dead_letter_id=b"x", payload_digest=bytes(31))
    found = {broken.field: broken for broken in violations(letter)}
    assert found["dead_letter_id"].limit == "16 bytes"
    assert found["payload_digest"].limit == "32 bytes"
    (long,) = [item for item in violations(spec(symbol="X" * 500)) if item.field == "symbol"]
    assert len(long.value) < 100


def test_lists_are_bounded():
    policy = RiskPolicy()
    for _ in range(65):
        policy.instruments.add(symbol="BTCUSDT")
    (many,) = [item for item in violations(policy) if item.field == "instruments"]
    assert (many.value, many.limit) == ("65 elements", "at most 64")
