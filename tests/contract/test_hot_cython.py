"""The generated Cython codecs: byte-equal to protobuf, strict, and of one mind with the edge."""

from __future__ import annotations

import json
import pathlib
import random
from types import ModuleType

import pytest
from contract.hot_probe import hot_names, load_probe
from contract.values import mutations, pb2_class, valid, wild
from google.protobuf.message import DecodeError
from protoc_gen_titan.model import snake
from titan_mesh.rules import violations

VECTORS = pathlib.Path(__file__).parent / "vectors"
CATALOGUE = json.loads((VECTORS.parents[2] / "gen/descriptor/catalogue.json").read_text())
TRUNCATED, BAD_TYPE, TOO_LONG, BAD_VARINT, BAD_TAG, REPEATED, SKIPPED = -1, -2, -3, -4, -5, -6, -7
ROUNDS = 25


@pytest.fixture(scope="module")
def probe() -> ModuleType:
    return load_probe()


def roundtrip(probe: ModuleType, name: str, raw: bytes):
    return getattr(probe, "roundtrip_" + snake(name.rpartition(".")[2]))(raw)


def skipped(name: str) -> list[str]:
    prefix = name + "."
    return [
        field.removeprefix(prefix)
        for field, facts in CATALOGUE["fields"].items()
        if field.startswith(prefix) and facts.get("hot_field") == "skip"
    ]


def slices(name: str) -> bool:
    """True when the message or one below it keeps undecoded slices."""
    prefix = name + "."
    own = any(
        facts.get("hot_field") == "slice"
        for field, facts in CATALOGUE["fields"].items()
        if field.startswith(prefix)
    )
    parts = {f.message_type.full_name for f in pb2_class(name).DESCRIPTOR.fields if f.message_type}
    return own or any(slices(part) for part in parts)


def without_skipped(message):
    for field in skipped(message.DESCRIPTOR.full_name):
        message.ClearField(field)
    return message


@pytest.mark.parametrize("name", hot_names())
def test_bytes_equal_protobuf(probe: ModuleType, name: str):
    rng = random.Random(f"hot cython {name}")
    for round_number in range(ROUNDS):
        make = valid if round_number % 2 else wild
        raw = without_skipped(make(name, rng)).SerializeToString(deterministic=True)
        code, _, again, size = roundtrip(probe, name, raw)
        assert (code, again, size) == (0, raw, len(raw))


@pytest.mark.parametrize("name", hot_names())
def test_golden_vectors(probe: ModuleType, name: str):
    path = VECTORS / f"codec_{name.replace('.', '_')}.json"
    for vector in json.loads(path.read_text()):
        message = pb2_class(vector["message"]).FromString(bytes.fromhex(vector["hex"]))
        raw = without_skipped(message).SerializeToString(deterministic=True)
        kept = raw if vector["name"] == "wild" else bytes.fromhex(vector["hex"])
        code, _, again, _ = roundtrip(probe, vector["message"], kept)
        assert (code, again) == (0, raw)


@pytest.mark.parametrize("name", hot_names())
def test_rules_agree_with_the_edge(probe: ModuleType, name: str):
    """Both judge the same messages alike: valid ones, and ones with a field at its edge."""
    rng = random.Random(f"rules {name}")
    numbers = {f.name: f.number for f in pb2_class(name).DESCRIPTOR.fields}
    opaque = {*skipped(name)} | {
        f.removeprefix(name + ".")
        for f, facts in CATALOGUE["fields"].items()
        if f.startswith(name + ".") and facts.get("hot_field") == "slice"
    }
    for _ in range(ROUNDS):
        message = valid(name, rng)
        for candidate in (message, *mutations(message, rng, 12)):
            wanted = 0
            for broken in violations(candidate):
                top = broken.field.split(".")[0].split("[")[0]
                if top in skipped(name):
                    wanted = SKIPPED
                    break
                if top not in opaque or (broken.limit == "required" and "." not in broken.field):
                    wanted = numbers[top]
                    break
            code, broken_number, _, _ = roundtrip(probe, name, candidate.SerializeToString())
            if wanted == SKIPPED or code in (TOO_LONG, SKIPPED):
                assert wanted
                assert code in (TOO_LONG, SKIPPED)
                continue
            assert code == 0
            assert broken_number % 1000 == wanted, str(candidate)


@pytest.mark.parametrize("name", hot_names())
def test_every_truncation(probe: ModuleType, name: str):
    raw = without_skipped(wild(name, random.Random(f"cut {name}"), density=1.0))
    raw = raw.SerializeToString(deterministic=True)
    for size in range(len(raw)):
        code, _, again, _ = roundtrip(probe, name, raw[:size])
        assert code == TRUNCATED or (code == 0 and again == raw[:size])


@pytest.mark.parametrize("name", hot_names())
def test_too_small_a_buffer_is_refused_untouched(probe: ModuleType, name: str):
    raw = without_skipped(wild(name, random.Random(f"small {name}"), density=1.0))
    raw = raw.SerializeToString(deterministic=True)
    encode = getattr(probe, "encode_small_" + snake(name.rpartition(".")[2]))
    assert encode(raw, len(raw))[0] == len(raw)
    for cap in range(max(0, len(raw) - 3), len(raw)):
        assert encode(raw, cap) == (-1, True)


@pytest.mark.parametrize("name", hot_names())
def test_random_damage_agrees_with_protobuf(probe: ModuleType, name: str):
    """What the hot decoder takes, protobuf takes too and reads alike; it is only ever stricter."""
    rng = random.Random(f"damage {name}")
    taken = 0
    for _ in range(ROUNDS * 8):
        raw = bytearray(without_skipped(valid(name, rng)).SerializeToString(deterministic=True))
        for _ in range(rng.randint(1, 3)):
            if raw:
                raw[rng.randrange(len(raw))] = rng.choice(b"\x00\x01\x08\x0a\x12\x7f\x80\xffabc09")
        code, broken, again, _ = roundtrip(probe, name, bytes(raw))
        if code or broken:
            continue
        try:
            message = pb2_class(name).FromString(bytes(raw))
        except DecodeError:
            assert slices(name), f"protobuf refuses what the hot decoder takes: {raw.hex()}"
            continue  # the damage is inside a slice, which its own reader decodes
        message.DiscardUnknownFields()
        mirrored = pb2_class(name).FromString(again)
        mirrored.DiscardUnknownFields()  # those inside slices travel on, as they should
        assert mirrored == without_skipped(message)
        taken += 1
    assert taken or not pb2_class(name).DESCRIPTOR.fields


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    [
        ("titan.fastpath.v1.Ping", b"\x08", TRUNCATED),
        ("titan.fastpath.v1.Ping", b"\x0a\x01x", BAD_TYPE),
        ("titan.fastpath.v1.Ping", b"\x13", BAD_TYPE),
        ("titan.fastpath.v1.Ping", b"\x08" + b"\x80" * 10, BAD_VARINT),
        ("titan.fastpath.v1.Ping", b"\x08" + b"\xff" * 9 + b"\x02", BAD_VARINT),
        ("titan.fastpath.v1.Ping", b"\x00\x01", BAD_TAG),
        ("titan.fastpath.v1.Hello", b"\x0a\x19" + b"x" * 25, TOO_LONG),
        ("titan.fastpath.v1.Prepare", b"\x0a\x00\x0a\x00", REPEATED),
        ("titan.fastpath.v1.Refused", b"\x12\x00\x12\x00", REPEATED),
        ("titan.venue.v1.VenueEvent", b"\x6a\x00\x62\x00", REPEATED),
        ("titan.venue.v1.BookDelta", b"\x18\x05", BAD_TYPE),
        ("titan.venue.v1.BookDelta", b"\x1a\x01\x05\x1a\x01\x06", REPEATED),
        ("titan.execution.v1.ExecutionReport", b"\xfa\x01\x00" * 33, TOO_LONG),
        ("titan.trading.v1.IntentSignal", b"\xa2\x01\x03\x0a\x01\xff", SKIPPED),
        ("titan.trading.v1.IntentSignal", b"\xa2\x01\x02\x12\x00", SKIPPED),
        ("titan.trading.v1.IntentSignal", b"\xa2\x01\x03\x0a\x05x", TRUNCATED),
        ("titan.trading.v1.IntentSignal", b"\xa2\x01\x03\x0a\x01x" * 17, TOO_LONG),
    ],
)
def test_bad_bytes_are_refused(probe: ModuleType, name: str, raw: bytes, code: int):
    assert roundtrip(probe, name, raw)[0] == code


def test_unknown_fields_are_skipped_and_the_last_number_wins(probe: ModuleType):
    raw = b"\x08\x01\x7a\x02hi\x79" + b"\x00" * 8 + b"\x7d" + b"\x00" * 4 + b"\x78\x01\x08\x07"
    assert roundtrip(probe, "titan.fastpath.v1.Ping", raw) == (0, 0, b"\x08\x07", 2)


def test_packed_slices(probe: ModuleType):
    message = pb2_class("titan.venue.v1.BookDelta")(bid_price_ticks=[0, 1, -1, 1 << 62, 300])
    raw = message.SerializeToString()[2:]
    assert probe.packed(raw) == (0, list(message.bid_price_ticks), 5)
    assert probe.packed(raw[:-1])[0] == TRUNCATED
    assert probe.packed(b"") == (0, [], 0)


def test_utf8_agrees_with_python(probe: ModuleType):
    rng = random.Random("utf8")
    edges = [
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
    ]
    edges += ["é€𝄞".encode()[:n] for n in range(10)]
    for _ in range(20_000):
        size = rng.randint(1, 5)
        edges.append(bytes(rng.choice([0x41, *range(0x7E, 0x100)]) for _ in range(size)))
    accepted = 0
    for raw in edges:
        try:
            raw.decode()
        except UnicodeDecodeError:
            assert not probe.utf8(raw), raw
        else:
            assert probe.utf8(raw), raw
            accepted += 1
    assert accepted > 100
