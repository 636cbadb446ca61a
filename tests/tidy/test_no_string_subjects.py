"""Subjects, streams and durables are spelt by generated code only."""

from __future__ import annotations

import ast

from tidy import tree
from titan import topology

MARKERS = (
    *(f"{event.base}." for event in topology.EVENTS.values()),
    "titan.replay.",
    "titan.dlq.",
    "titan.>",
    "titan.*",
)
EXACT = frozenset(
    {event.base for event in topology.EVENTS.values()}
    | set(topology.STREAMS)
    | {consumer.durable for rows in topology.CONSUMERS.values() for consumer in rows}
) - {""}


def docstrings(module: ast.Module) -> set[int]:
    """Ids of the constants that are docstrings or statements of their own."""
    return {
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def faults(module: ast.Module) -> list[str]:
    """String constants, parts of f-strings too, that spell something of the topology."""
    prose = docstrings(module)
    return [
        f"{node.lineno} {node.value!r}"
        for node in ast.walk(module)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and (node.value in EXACT or is_subject(node.value))
    ]


def is_subject(text: str) -> bool:
    """True for subjects; full names of types, such as "titan.dlq.v1.DeadLetter", are none."""
    is_type = text.rpartition(".")[2][:1].isupper()
    return text.startswith(MARKERS) and not is_type


def test_no_subject_stream_or_durable_is_spelt_outside_gen() -> None:
    wrong = [
        f"{source.name}:{fault}"
        for source in tree.files(".py")
        if source.is_product and not source.name.startswith("sdk/codegen/")
        for fault in faults(tree.parsed(source.path))
    ]
    assert wrong == []


def test_the_check_finds_what_it_looks_for() -> None:
    base = topology.EXECUTION_REPORT.base
    planted = f"""
'''{base} in a docstring is prose'''
a = "{base}"
b = f"{base}.{{account}}"
c = "{topology.TITAN_DLQ.name}"
d = "{topology.BRAIN_ON_EXECUTION_REPORT.durable}"
e = "titan.replay.x"
f = "titan.dlq.v1.DeadLetter"
"""
    found = sorted(line.split()[0] for line in faults(ast.parse(planted)))
    assert found == ["3", "4", "5", "6", "7"]
