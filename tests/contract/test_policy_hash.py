"""The policy hash: golden vectors, an operator's shell, and one byte that changes everything."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from titan.risk.v1.policy_pb2 import RiskPolicy
from titan_mesh.canonical_json import canonical
from titan_mesh.errors import PolicyError
from titan_mesh.policy_hash import hash_of, load_policy, parse_policy

ROOT = Path(__file__).parents[2]
IN_FORCE = ROOT / "compose" / "policy" / "risk_policy.json"
VECTORS = json.loads((Path(__file__).parent / "vectors" / "policy_hash.json").read_text())


def changed(**places):
    """The policy in force with values replaced; a place is a path with double underscores."""
    document = json.loads(IN_FORCE.read_text())
    for place, value in places.items():
        *way, last = place.split("__")
        holder = document
        for step in way:
            holder = holder[int(step) if step.isdigit() else step]
        if value is None:
            del holder[last]
        else:
            holder[last] = value
    return json.dumps(document).encode()


def refusal(text):
    with pytest.raises(PolicyError) as refused:
        parse_policy(text, "policy.json")
    return refused.value


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vectors(vector):
    policy = parse_policy(json.dumps(vector["policy"], indent=3).encode())
    assert policy.hex == vector["sha256"]
    assert hashlib.sha256(policy.canonical).hexdigest() == vector["sha256"]
    assert hash_of(policy.pb) == policy.hash


def test_the_policy_in_force_has_its_golden_hash():
    (golden,) = [vector for vector in VECTORS if vector["policy"]["policy_id"] == "paper-default"]
    assert load_policy(IN_FORCE).hex == golden["sha256"]


def test_the_hash_equals_what_an_operator_gets_from_jq():
    jq = shutil.which("jq")
    if jq is None:
        pytest.skip("jq is not installed")
    printed = subprocess.run([jq, "-cS", ".", IN_FORCE], check=True, capture_output=True).stdout
    assert hashlib.sha256(printed.replace(b"\n", b"")).hexdigest() == load_policy(IN_FORCE).hex


def test_order_and_spaces_do_not_matter():
    document = json.loads(IN_FORCE.read_text())
    turned = {key: document[key] for key in reversed(document)}
    compact = json.dumps(turned, separators=(",", ":")).encode()
    assert parse_policy(compact).hash == load_policy(IN_FORCE).hash


def test_every_changed_value_gives_another_hash():
    base = load_policy(IN_FORCE).hash
    hashes = {
        parse_policy(text).hash
        for text in (
            changed(version=2),
            changed(account__equity="100000.1"),
            changed(instruments__0__max_order_qty_lots="999"),
            changed(truth__halt_below=49),
        )
    }
    assert len(hashes) == 4
    assert base not in hashes


@pytest.mark.parametrize(
    ("places", "path"),
    [
        ({"version": "1"}, "$.version"),
        ({"instruments__0__max_order_qty_lots": 1000}, "$.instruments[0].max_order_qty_lots"),
        ({"account__duplicate_window_ms": None}, "$.account.duplicate_window_ms"),
        ({"venues__0__clock_error_ms": None}, "$.venues[0].clock_error_ms"),
    ],
)
def test_another_spelling_of_the_same_policy_is_refused_with_its_path(places, path):
    fault = refusal(changed(**places))
    assert (fault.code, fault.field) == ("POLICY_NOT_CANONICAL", path)


def test_camel_case_is_refused():
    fault = refusal(IN_FORCE.read_bytes().replace(b'"policy_id"', b'"policyId"'))
    assert (fault.code, fault.field) == ("POLICY_NOT_CANONICAL", "$.policy_id")


@pytest.mark.parametrize(
    "text",
    [
        changed(version=1.0).replace(b'"version": 1.0', b'"version": 1.0'),
        IN_FORCE.read_bytes().replace(b'"version": 1,', b'"version": 1, "version": 1,'),
        IN_FORCE.read_bytes()[:-3],
    ],
    ids=["float", "repeated key", "cut"],
)
def test_doubtful_json_is_refused(text):
    assert refusal(text).code == "POLICY_NOT_CANONICAL"


@pytest.mark.parametrize(
    ("places", "field"),
    [
        ({"unknown": 1}, "$"),
        ({"version": 0}, "version"),
        ({"timing__lease_renew_ms": 3000}, "timing.lease_renew_ms"),
        ({"truth__min_score_open": 90}, "truth.min_score_open"),
        ({"truth__halt_below": 75}, "truth.halt_below"),
        ({"truth__halt_armed_at": 40}, "truth.halt_armed_at"),
        ({"account__equity": "1e5"}, "account.equity"),
        ({"account__equity": "0"}, "account.equity"),
        ({"account__max_daily_loss": "0.0000000001"}, "account.max_daily_loss"),
        ({"phases__0__max_notional": "-1"}, "phases[0].max_notional"),
        ({"instruments__0__max_position_lots": "10"}, "instruments[0].max_order_qty_lots"),
        ({"instruments": []}, "instruments"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_its_field(places, field):
    fault = refusal(changed(**places))
    assert (fault.code, fault.field) == ("POLICY_INVALID", field)


def test_a_name_twice_is_refused():
    phase = json.loads(IN_FORCE.read_text())["phases"][0]
    fault = refusal(changed(phases=[phase, phase]))
    assert (fault.field, fault.value) == ("phases", "scavenger")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PolicyError) as refused:
        load_policy(tmp_path / "none.json")
    assert refused.value.code == "POLICY_UNREADABLE"


def outcome(text):
    """The hash of a policy, or the code of its refusal."""
    try:
        return parse_policy(text).hash
    except PolicyError as fault:
        return fault.code


@given(data=st.data())
def test_one_changed_byte_is_refused_or_gives_another_hash(data):
    """At no place of the canonical bytes does a flipped bit go unnoticed."""
    policy = load_policy(IN_FORCE)
    at = data.draw(st.integers(0, len(policy.canonical) - 1))
    flip = data.draw(st.integers(1, 255))
    text = bytearray(policy.canonical)
    text[at] ^= flip
    assert outcome(bytes(text)) != policy.hash


def test_canonical_bytes_are_a_fixed_point():
    policy = load_policy(IN_FORCE)
    assert parse_policy(policy.canonical) == policy
    assert canonical(json.loads(policy.canonical)) == policy.canonical
    assert isinstance(policy.pb, RiskPolicy)
