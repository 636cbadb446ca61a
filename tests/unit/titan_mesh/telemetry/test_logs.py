"""Log lines."""

from __future__ import annotations

import io
import logging

import pytest
from titan_mesh.clock import ManualClock
from titan_mesh.telemetry.logs import Log, bridge_libraries, shown


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def log(stream):
    return Log("execution", ManualClock(unix_ns=1_700_000_000_123_456_789), stream)


def test_a_line_has_time_level_service_event_and_facts(log, stream):
    log.info("started", port=3002, policy_hash=b"\x01\x02", why="two words")
    assert stream.getvalue() == (
        "2023-11-14T22:13:20.123456Z INFO execution started port=3002 policy_hash=0102"
        ' why="two words"\n'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [("a\nb", '"a\\nb"'), ("", '""'), ('say "x"', '"say \\"x\\""'), (None, "None"), (1.5, "1.5")],
)
def test_no_value_can_break_a_line(value, text):
    assert shown(value) == text


def test_long_values_are_cut():
    assert len(shown("x" * 5000)) < 1100


def test_an_exception_names_its_place(log, stream):
    try:
        raise ValueError("bad")
    except ValueError as fault:
        log.fault("failed", fault, step=1)
    assert "ERROR execution failed step=1 fault=\"ValueError('bad')\"" in stream.getvalue()
    assert "test_logs.py:" in stream.getvalue()


def test_lines_of_libraries_take_the_same_form(log, stream):
    before = logging.root.handlers[:], logging.root.level
    try:
        bridge_libraries(log)
        logging.getLogger("grpc").warning("deep %s", "trouble")
        logging.getLogger("grpc").info("chatter")
    finally:
        logging.root.handlers[:], logging.root.level = before
    assert stream.getvalue().endswith('WARN execution library logger=grpc text="deep trouble"\n')
