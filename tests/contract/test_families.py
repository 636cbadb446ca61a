"""Every message of the contract has the same bytes and the same JSON in both families."""

from __future__ import annotations

import json
import pathlib
import random

import pytest
from contract.values import REPOSITORY, message_names, pb2_class, sdk_class, valid, wild
from google.protobuf import json_format

VECTORS = pathlib.Path(__file__).parent / "vectors"
ROUNDS = 12


def _bytes(message) -> bytes:
    return message.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", message_names())
def test_generated_values(name: str):
    rng = random.Random(f"families {name}")
    for round_number in range(ROUNDS):
        make = valid if round_number % 2 else wild
        message = make(name, rng)
        raw = _bytes(message)
        twin = sdk_class(name).parse(raw)
        assert bytes(twin) == raw
        # The second way in shares no wire code with the first: JSON of the one feeds the other.
        text = json_format.MessageToJson(message)
        assert bytes(sdk_class(name).from_json(text)) == raw
        back = json_format.Parse(twin.to_json(), pb2_class(name)())
        assert _bytes(back) == raw


@pytest.mark.parametrize("path", sorted(VECTORS.glob("codec_*.json")), ids=lambda p: p.stem)
def test_golden_vectors(path: pathlib.Path):
    vectors = json.loads(path.read_text())
    assert vectors
    for vector in vectors:
        raw = bytes.fromhex(vector["hex"])
        message = json_format.ParseDict(vector["json"], pb2_class(vector["message"])())
        assert _bytes(message) == raw, vector["name"]
        twin = sdk_class(vector["message"]).from_dict(vector["json"])
        assert bytes(twin) == raw, vector["name"]


def test_every_hot_message_and_event_has_a_golden_vector():
    catalogue = json.loads((REPOSITORY / "gen/descriptor/catalogue.json").read_text())
    named = {
        vector["message"]
        for path in VECTORS.glob("codec_*.json")
        for vector in json.loads(path.read_text())
    }
    missing = ({*catalogue["hot"], *catalogue["events"]}) - named
    assert not missing, f"cut vectors with tests/contract/cut.py: {sorted(missing)}"
