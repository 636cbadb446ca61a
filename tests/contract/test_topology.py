"""Subjects follow from messages, in both families alike; what is no token is refused."""

from __future__ import annotations

import random

import pytest
from contract.values import pb2_class, sdk_class, valid
from titan import access, rejections, topology
from titan.execution.v1.execution_report_pb2 import ExecutionReport
from titan.topology_types import Event, Key, TopologyError
from titan.trading.v1.intent_pb2 import IntentSignal
from titan.trading.v1.reject_reason_pb2 import RejectReason
from titan_sdk._pb import topology as sdk_topology

SIGNAL = topology.INTENT_SIGNAL


def test_subject_is_base_and_keys():
    message = IntentSignal(phase_id="scavenger", symbol="BTCUSDT")
    assert SIGNAL.subject(message) == "titan.signals.scavenger.BTCUSDT"
    assert SIGNAL.wildcard == "titan.signals.*.*"
    assert SIGNAL.filter(symbol="BTCUSDT") == "titan.signals.*.BTCUSDT"
    assert SIGNAL.filter() == SIGNAL.wildcard


@pytest.mark.parametrize("value", ["", "a.b", "*", ">", "a b", "é", "a\n"])
def test_a_key_that_is_no_token_is_refused(value: str):
    with pytest.raises(TopologyError) as caught:
        SIGNAL.subject(IntentSignal(phase_id="scavenger", symbol=value))
    found = caught.value
    assert (found.code, found.event, found.field, found.value) == (
        "KEY_NOT_A_TOKEN",
        "titan.trading.v1.IntentSignal",
        "symbol",
        value,
    )


def test_an_unknown_filter_key_is_refused():
    with pytest.raises(TopologyError, match="UNKNOWN_KEY"):
        SIGNAL.filter(venue="paper")


def test_an_enum_key_writes_the_name_of_a_declared_value():
    event = Event(
        "x.Y",
        IntentSignal,
        "titan.y",
        (Key("side", {1: "BUY", 2: "SELL"}),),
        topology.TITAN_SIGNALS,
        "",
        IntentSignal.SerializeToString,
        IntentSignal.FromString,
    )
    assert event.subject(IntentSignal(side=2)) == "titan.y.SELL"
    for undeclared in (0, 9):
        with pytest.raises(TopologyError, match="KEY_NOT_DECLARED"):
            event.subject(IntentSignal(side=undeclared))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", topology.EVENTS)
def test_both_families_agree(name: str):
    ours, theirs = topology.EVENTS[name], sdk_topology.EVENTS[name]
    message = valid(name, random.Random(f"topology {name}"))
    raw = ours.encode(message)
    twin = theirs.decode(raw)
    assert ours.message is pb2_class(name)
    assert theirs.message is sdk_class(name)
    assert ours.subject(message) == theirs.subject(twin)
    assert theirs.encode(twin) == raw
    assert ours.decode(raw) == message
    assert ours.stream == theirs.stream


def test_a_durable_hears_its_event_and_its_own_replays():
    consumer = topology.BRAIN_ON_EXECUTION_REPORT
    assert consumer.is_money
    assert consumer.filter_subjects == (
        topology.EXECUTION_REPORT.wildcard,
        "titan.replay.brain_execution_report",
    )
    assert set(consumer.filter_subjects) <= set(consumer.event.stream.subjects)
    dead = topology.DEAD_LETTER.filter(consumer=consumer.durable)
    assert consumer.dead_letter_subject == dead
    assert topology.PHASE_ON_EXECUTION_REPORT.replay_subject == ""
    assert topology.PHASE_ON_EXECUTION_REPORT.filter_subjects == ("titan.execution.reports.*",)


def test_every_subject_belongs_to_one_stream():
    subjects = [s for stream in topology.STREAMS.values() for s in stream.subjects]
    assert len(subjects) == len(set(subjects))
    for event in topology.EVENTS.values():
        assert event.wildcard in event.stream.subjects


def test_every_reason_has_a_denial():
    numbers = {v.number for v in RejectReason.DESCRIPTOR.values if v.number}
    assert set(rejections.DENIALS) == numbers
    for number, denial in rejections.DENIALS.items():
        assert RejectReason.Name(number) == f"REJECT_REASON_{denial.code}"  # type: ignore[arg-type]
        assert denial.hint
        assert denial.grpc_status


def test_every_method_has_its_roles():
    assert access.ACCESS["/titan.brain.v1.OperatorService/Resume"].roles == {"ROLE_OPERATOR"}
    assert access.ACCESS["/titan.execution.v1.ExecutionService/StreamReports"].deadline_exempt
    assert all(entry.roles for entry in access.ACCESS.values())


def test_reports_and_truth_carry_the_policy_hash():
    assert "policy_hash" in ExecutionReport.DESCRIPTOR.fields_by_name
    exempt = {name for name, event in topology.EVENTS.items() if event.policy_hash_exempt}
    assert exempt == {"titan.marketdata.v1.BookUpdate", "titan.marketdata.v1.TradePrint"}
