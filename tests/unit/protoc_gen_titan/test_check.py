"""Each contract mistake stops the build with one line that names file and message."""

from __future__ import annotations

import pytest
from protoc_gen_titan.__main__ import generate

STREAM = """
option (titan.options.v1.stream) = {{
  name: "{name}" storage: STORAGE_FILE discard: DISCARD_OLD max_age_ms: 1000
  max_bytes: {max_bytes} duplicate_window_ms: {window} max_message_bytes: 100
}};
"""
EVENT = """
message Said {
  option (titan.options.v1.event) = {
    subject: "titan.said" key: "who" stream: "TITAN_PLANTED"
  };
  string who = 1;
  bytes policy_hash = 2;
}
"""
DEAD = """
message Dead {
  option (titan.options.v1.event) = {
    subject: "titan.dlq.v1" key: "who" stream: "TITAN_PLANTED"
  };
  string who = 1;
  bytes policy_hash = 2;
}
"""


def event(facts: str, fields: str = "string who = 1; bytes policy_hash = 2;") -> str:
    return f"message Bad {{ option (titan.options.v1.event) = {{ {facts} }}; {fields} }}"


def talker(consumes: str, publishes: str = 'publishes: "titan.planted.v1.Said"') -> str:
    option = f'name: "talker" {publishes} {consumes}'
    return (
        EVENT + DEAD + f"service Talk {{ option (titan.options.v1.participant) = {{{option}}}; }}"
    )


def durable(**changes: str) -> str:
    facts = {
        "event": '"titan.planted.v1.Said"',
        "durable": '"ear"',
        "delivery_class": "DELIVERY_CLASS_TELEMETRY",
        "ack_wait_ms": "10",
        "max_deliver": "3",
        "max_ack_pending": "10",
    } | changes
    return "consumes: {" + " ".join(f"{k}: {v}" for k, v in facts.items() if v) + "}"


MISTAKES = {
    "unknown event published": (
        talker("", 'publishes: "titan.planted.v1.Nobody"'),
        "planted.proto: titan.planted.v1.Talk publishes unknown event 'titan.planted.v1.Nobody'",
    ),
    "unknown event consumed": (
        talker(durable(event='"titan.planted.v1.Nobody"')),
        "Talk consumes unknown event 'titan.planted.v1.Nobody'",
    ),
    "consumer without publisher": (
        talker(durable(), ""),
        "Talk consumes 'titan.planted.v1.Said', which nobody publishes",
    ),
    "two consumers with one durable": (
        talker(durable() + durable(event='"titan.planted.v1.Said"')),
        "durable 'ear' is declared 2 times",
    ),
    "money class with a delivery limit": (
        talker(durable(delivery_class="DELIVERY_CLASS_MONEY")),
        "money-class consumer of titan.planted.v1.Said must be durable with max_deliver -1",
    ),
    "money class without durable": (
        talker(durable(delivery_class="DELIVERY_CLASS_MONEY", durable="", max_deliver="-1")),
        "must be durable with max_deliver -1",
    ),
    "no delivery class": (talker(durable(delivery_class="")), "has no delivery_class"),
    "durable without ack wait": (
        talker(durable(ack_wait_ms="")),
        "durable ear needs ack_wait_ms and max_ack_pending",
    ),
    "telemetry without a delivery limit": (talker(durable(max_deliver="")), "needs max_deliver"),
    "back-off longer than deliveries": (
        talker(durable(back_off_ms="[1, 2, 3]")),
        "durable ear: back_off_ms is longer than max_deliver - 1",
    ),
    "durable without dead letters": (
        talker(durable()).replace('"titan.dlq.v1"', '"titan.elsewhere"'),
        "durable 'ear' has no event on titan.dlq.v1",
    ),
    "key that is no field": (
        event('subject: "titan.bad" key: "whom" stream: "TITAN_PLANTED"'),
        "planted.proto: titan.planted.v1.Bad: key 'whom' is not a field",
    ),
    "key that is no token": (
        event('subject: "titan.bad" key: "policy_hash" stream: "TITAN_PLANTED"'),
        "key 'policy_hash' is not a single string or enum field",
    ),
    "event without stream": (event('subject: "titan.bad"'), "Bad: event names no stream"),
    "event on an unknown stream": (
        event('subject: "titan.bad" stream: "TITAN_OTHER"'),
        "Bad: unknown stream 'TITAN_OTHER'",
    ),
    "event without policy hash": (
        event('subject: "titan.bad" stream: "TITAN_PLANTED"', "string who = 1;"),
        "Bad: event carries no policy_hash and is not exempt",
    ),
    "event exempt without need": (
        event('subject: "titan.bad" stream: "TITAN_PLANTED" policy_hash_exempt: "why not"'),
        "Bad: event carries a policy_hash and is exempt from it",
    ),
    "overlapping subjects": (
        EVENT + event('subject: "titan.said.loud" stream: "TITAN_PLANTED"'),
        "subject 'titan.said.loud' overlaps that of titan.planted.v1.Said",
    ),
    "foreign subject": (
        event('subject: "other.bad" stream: "TITAN_PLANTED"'),
        "subject 'other.bad' does not start with titan.",
    ),
    "duplicate stream name": (
        STREAM.format(name="TITAN_PLANTED", max_bytes=10, window=10),
        "planted.proto: stream 'TITAN_PLANTED' is declared 2 times",
    ),
    "stream without bound": (
        STREAM.format(name="TITAN_X", max_bytes=0, window=10),
        "stream TITAN_X has no size bound",
    ),
    "window beyond age": (
        STREAM.format(name="TITAN_X", max_bytes=10, window=2000),
        "stream TITAN_X: duplicate_window_ms is not within 1 and max_age_ms",
    ),
    "RPC without authorization": (
        "message Ask {} service Desk { rpc Go(Ask) returns (Ask); }",
        "planted.proto: /titan.planted.v1.Desk/Go has no authorization",
    ),
    "reject reason without denial": (
        "enum RejectReason { REJECT_REASON_UNSPECIFIED = 0; REJECT_REASON_TIRED = 1; }",
        "planted.proto: titan.planted.v1.RejectReason.REJECT_REASON_TIRED has no denial option",
    ),
    "denial with an invented status": (
        "enum RejectReason { REJECT_REASON_UNSPECIFIED = 0; REJECT_REASON_TIRED = 1 "
        '[(titan.options.v1.denial) = {hint: "Sleep." grpc_status: "TIRED"}]; }',
        "'TIRED' is no gRPC status",
    ),
    "hot string without bound": (
        "message Fast { option (titan.options.v1.hot) = true; string name = 1; }",
        "planted.proto: hot titan.planted.v1.Fast.name needs rule.len or rule.max_len",
    ),
    "hot list without bound": (
        "message In { option (titan.options.v1.hot) = true; bool a = 1; } "
        "message Fast { option (titan.options.v1.hot) = true; repeated In parts = 1; }",
        "hot titan.planted.v1.Fast.parts needs rule.max_items",
    ),
    "hot list of numbers expanded": (
        "message Fast { option (titan.options.v1.hot) = true; repeated int64 ticks = 1; }",
        "repeated int64 needs HOT_FIELD_SLICE",
    ),
    "cold message inside a hot one": (
        "message In { bool a = 1; } "
        "message Fast { option (titan.options.v1.hot) = true; In part = 1; }",
        "titan.planted.v1.In is not hot; mark it, or use HOT_FIELD_SLICE",
    ),
    "hot message inside itself": (
        "message Fast { option (titan.options.v1.hot) = true; Fast part = 1; }",
        "a hot message cannot contain itself",
    ),
    "float in a hot message": (
        "message Fast { option (titan.options.v1.hot) = true; double price = 1; }",
        "Fast.price: double is not carried by hot and event messages",
    ),
    "slice of a number": (
        "message Fast { option (titan.options.v1.hot) = true; "
        "int64 t = 1 [(titan.options.v1.hot_field) = HOT_FIELD_SLICE]; }",
        "a single int64 is no slice",
    ),
    "slice of separate items": (
        "message Fast { option (titan.options.v1.hot) = true; "
        "repeated bytes t = 1 [(titan.options.v1.hot_field) = HOT_FIELD_SLICE]; }",
        "repeated bytes is no single slice",
    ),
    "skipped field that nobody judges": (
        "message In { bool a = 1; } message Fast { option (titan.options.v1.hot) = true; "
        "repeated In t = 1 [(titan.options.v1.hot_field) = HOT_FIELD_SKIP]; }",
        "HOT_FIELD_SKIP is for messages marked hot",
    ),
    "hot number too large": (
        "message Fast { option (titan.options.v1.hot) = true; bool a = 64; }",
        "field numbers above 63 are not hot",
    ),
    "map": ("message M { map<string, string> m = 1; }", "maps are not used"),
    "fields out of order": (
        "message M { bool b = 2; bool a = 1; }",
        "M: fields do not stand in the order of their numbers",
    ),
    "defined_only on a number": (
        "message M { int64 a = 1 [(titan.options.v1.rule) = {defined_only: true}]; }",
        "M.a: defined_only on a field that is no enum",
    ),
    "two participants of one name": (
        EVENT
        + 'service A { option (titan.options.v1.participant) = {name: "x"}; }'
        + 'service B { option (titan.options.v1.participant) = {name: "x"}; }',
        "planted.proto: participant 'x' is declared 2 times",
    ),
}


@pytest.mark.parametrize(("body", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_stops_generation(compiled, body: str, words: str):
    response = generate(compiled(body))
    assert words in response.error
    assert "titan/planted/v1/planted.proto" in response.error
    assert not response.file, "a refused contract generates nothing"
    assert all(line.strip() for line in response.error.split("\n"))


def test_a_clean_contract_has_no_mistakes(compiled):
    response = generate(compiled(talker(durable(back_off_ms="[1, 2]"))))
    assert response.error == ""
    names = {f.name for f in response.file}
    assert {"gen/python/titan/topology.py", "gen/nats/permissions.conf"} <= names
