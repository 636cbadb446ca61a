"""Clock and randomness come in through constructors: only the adapters touch the real ones."""

from __future__ import annotations

import ast

import pytest
from tidy import tree

ADAPTERS = {"sdk/mesh/titan_mesh/clock.py", "sdk/mesh/titan_mesh/ids.py"}
CLOCK_CALLS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "monotonic_ns"),
    ("time", "perf_counter"),
    ("time", "perf_counter_ns"),
    ("time", "clock_gettime"),
    ("time", "clock_gettime_ns"),
    ("time", "sleep"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("date", "today"),
}
RANDOM_MODULES = {"random", "secrets"}
RANDOM_CALLS = {("os", "urandom"), ("uuid", "uuid1"), ("uuid", "uuid4"), ("uuid", "uuid7")}
SEEDED = {("random", "Random")}


def dotted(node: ast.expr) -> tuple[str, str] | None:
    """("module", "name") of an attribute access on a plain name."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr
    return None


def faults(module: ast.Module) -> list[str]:
    """Uses of the real clock or of unseeded randomness."""
    found = []
    imported = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module in {"time", *RANDOM_MODULES}:
            names = {alias.name for alias in node.names}
            if node.module == "time" or names != {"Random"}:
                found.append(f"{node.lineno} from {node.module} import {', '.join(sorted(names))}")
        used = dotted(node) if isinstance(node, ast.Attribute) else None
        unseeded = used is not None and used[0] in RANDOM_MODULES & imported and used not in SEEDED
        if used and (unseeded or used in CLOCK_CALLS or used in RANDOM_CALLS):
            found.append(f"{node.lineno} {used[0]}.{used[1]}")
    return found


def test_only_adapters_read_the_clock_or_roll_dice() -> None:
    wrong = [
        f"{source.name}:{fault}"
        for source in tree.files(".py")
        if source.is_product and source.name not in ADAPTERS
        for fault in faults(tree.parsed(source.path))
    ]
    assert not wrong, "take a titan_mesh.clock.Clock or an id source as argument:\n" + "\n".join(
        wrong
    )


def test_the_adapters_are_where_the_rule_points() -> None:
    for name in ("sdk/mesh/titan_mesh/clock.py", "sdk/mesh/titan_mesh/ids.py"):
        assert (tree.ROOT / name).is_file(), f"{name} is the adapter this rule points at"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("import time\nx = time.time_ns()", 1),
        ("from time import sleep", 1),
        ("import random\nrandom.shuffle([])", 1),
        ("import random\nr = random.Random(7)\nr.random()", 0),
        ("from random import Random", 0),
        ("import os\nos.urandom(3)", 1),
        ("import uuid\nuuid.uuid4()", 1),
        ("from datetime import datetime\ndatetime.now()", 1),
        ("clock.now_ns()", 0),
        ("secrets = {}\nsecrets.get(1)", 0),
    ],
)
def test_the_rule_bites(text: str, count: int) -> None:
    assert len(faults(ast.parse(text))) == count


MAX_POLL_S = 0.05


def polls(module: ast.Module, call: ast.Call) -> bool:
    """True when the wait is a short constant, in place or named in the module."""
    names = {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    given = call.args[0] if call.args else None
    value = names.get(given.id) if isinstance(given, ast.Name) else getattr(given, "value", None)
    return isinstance(value, int | float) and value <= MAX_POLL_S


def test_no_fixed_wait_in_tests() -> None:
    wrong = []
    for source in tree.files(".py"):
        module = tree.parsed(source.path)
        if source.is_product or not source.name.startswith("tests/"):
            continue
        for node in ast.walk(module):
            waits = isinstance(node, ast.Call) and dotted(node.func) == ("time", "sleep")
            if waits and not polls(module, node):
                wrong.append(f"{source.name}:{node.lineno}")
    assert not wrong, "wait for the condition with a deadline, poll at most 50 ms:\n" + "\n".join(
        wrong
    )
