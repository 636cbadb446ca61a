"""Options of the contract change only where the golden catalogue is cut anew.

buf does not see custom options: without this, a changed subject or rule is a silent break.
"""

from __future__ import annotations

import difflib
import json
import pathlib

from contract.values import REPOSITORY

BASELINE = pathlib.Path(__file__).parent / "baseline/catalogue.json"
CURRENT = REPOSITORY / "gen/descriptor/catalogue.json"


def changes(before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "released", "now", lineterm="", n=2
    )
    return "\n".join(lines)


def test_catalogue_is_as_released():
    diff = changes(BASELINE.read_text(), CURRENT.read_text())
    assert not diff, f"announce with make contract-release, or undo:\n{diff}"


def test_a_changed_option_shows_as_a_diff():
    catalogue = json.loads(BASELINE.read_text())
    catalogue["events"]["titan.execution.v1.ExecutionReport"]["subject"] = "titan.elsewhere"
    after = json.dumps(catalogue, indent=1, sort_keys=True) + "\n"
    assert '+   "subject": "titan.elsewhere"' in changes(BASELINE.read_text(), after)


def test_the_catalogue_names_every_kind_of_option():
    catalogue = json.loads(CURRENT.read_text())
    assert all(
        catalogue[kind]
        for kind in ("streams", "events", "participants", "authorization", "denials", "hot")
    )
    facts = {fact for field in catalogue["fields"].values() for fact in field}
    assert facts == {"rule", "span_attribute", "sensitive", "hot_field"}
