"""The SDK's straight-line codec: byte-equal to both families, strict about bad bytes."""

from __future__ import annotations

import random

import pytest
from contract.values import message_names, sdk_class, wild
from protoc_gen_titan.model import snake
from titan_sdk._pb import hot
from titan_sdk._pb.titan.fastpath.v1 import Ping, Prepare, Ready
from titan_sdk._pb.titan.trading.v1 import IntentSignal, Side
from titan_sdk._pb.titan.venue.v1 import FeedAck, QueryEnd, VenueEvent

CODED = [n for n in message_names() if hasattr(hot, "encode_" + snake(n.rpartition(".")[2]))]
CODED = [n for n in CODED if n not in {"titan.brain.v1.HaltRequest"}]  # FastPath's has the name
ROUNDS = 12


def codec(name: str):
    short = snake(name.rpartition(".")[2])
    return getattr(hot, f"encode_{short}"), getattr(hot, f"decode_{short}")


def test_the_codec_covers_the_intent_and_the_report():
    assert {"titan.trading.v1.IntentSignal", "titan.execution.v1.ExecutionReport"} <= set(CODED)


@pytest.mark.parametrize("name", CODED)
def test_bytes_equal_both_families(name: str):
    encode, decode = codec(name)
    rng = random.Random(f"hot python {name}")
    for _ in range(ROUNDS):
        raw = wild(name, rng).SerializeToString(deterministic=True)
        twin = sdk_class(name).parse(raw)
        assert encode(twin) == raw == bytes(twin)
        assert decode(raw) == twin
        assert encode(decode(raw)) == raw


@pytest.mark.parametrize("name", CODED)
def test_every_truncation_is_refused_or_is_a_shorter_message(name: str):
    encode, decode = codec(name)
    raw = wild(name, random.Random(f"cut {name}"), density=1.0).SerializeToString()
    refused = 0
    for size in range(len(raw)):
        try:
            message = decode(raw[:size])
        except hot.HotCodecError as error:
            refused += error.code == "TRUNCATED"
        else:  # a cut between two fields: exactly those bytes, nothing lost
            assert encode(message) == raw[:size]
            refused += 1
    assert refused == len(raw)


def test_unknown_fields_survive():
    raw = hot.encode_ping(Ping(echo=7)) + b"\x78\x05" + b"\xf2\x07\x02hi"
    message = hot.decode_ping(raw)
    assert message.echo == 7
    assert hot.encode_ping(message) == raw


@pytest.mark.parametrize(
    ("decode", "raw", "code"),
    [
        (hot.decode_ping, b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", "BAD_VARINT"),
        (hot.decode_ping, b"\x08" + b"\x80" * 11, "BAD_VARINT"),
        (hot.decode_ping, b"\x0b", "BAD_WIRE_TYPE"),
        (hot.decode_ping, b"\x0a\x01x", "BAD_WIRE_TYPE"),
        (hot.decode_ping, b"\x00\x01", "BAD_TAG"),
        (hot.decode_ping, b"\x7b\x01", "BAD_WIRE_TYPE"),
        (hot.decode_ready, b"\x1a\x01\xff", "NOT_UTF8"),
        (hot.decode_intent_signal, b"\x38\x63", "UNKNOWN_ENUM"),
        (hot.decode_prepare, b"\x0a\x02\x30\x01\x0a\x02\x30\x01", "REPEATED_FIELD"),
    ],
)
def test_bad_bytes_are_refused(decode, raw: bytes, code: str):
    with pytest.raises(hot.HotCodecError) as caught:
        decode(raw)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "message",
    [
        Ping(echo=1 << 64),
        Ping(echo=-1),
        Ready(boottime_ns=1 << 63),
        QueryEnd(count=1 << 32),
        Prepare(intent=IntentSignal(expected_edge_ppm=1 << 31)),
    ],
)
def test_numbers_out_of_range_are_refused(message):
    with pytest.raises(hot.HotCodecError, match="OUT_OF_RANGE"):
        getattr(hot, "encode_" + snake(type(message).__name__))(message)


def test_two_members_of_one_oneof_are_refused():
    both = VenueEvent(query_end=QueryEnd(count=1), feed_ack=FeedAck(events=1))
    with pytest.raises(hot.HotCodecError, match="TWO_MEMBERS"):
        hot.encode_venue_event(both)


def test_open_enums_keep_a_number_from_the_future():
    raw = b"\x20\x63"  # Ready.state, not declared closed
    assert hot.decode_ready(raw).state == 99
    assert hot.encode_ready(hot.decode_ready(raw)) == raw
    assert hot.decode_intent_signal(b"\x38\x01").side is Side.BUY
