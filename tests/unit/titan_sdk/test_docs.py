"""docs/SDK.md does what it says: its strategy trades, its settings bind, its table is whole."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from titan_market.feed.source import play_synthetic
from titan_scavenger.strategy import Scavenger
from titan_sdk import PhaseConfig, Strategy
from titan_sdk.testing import Bench, write_session
from unit.titan_scavenger.market import session
from unit.titan_sdk.kit import INSTRUMENTS, REPOSITORY, ids, instruments
from unit.titan_sdk.test_surface import HANDLERS

TEXT = (REPOSITORY / "docs" / "SDK.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def test_the_strategy_of_the_document_trades_on_the_bench_of_the_document(tmp_path: Path) -> None:
    strategy, use = PYTHON
    assert len([line for line in strategy.splitlines() if line.strip()]) <= 28
    body = strategy.partition("class ")[2].partition("if __name__")[0]
    code = [line for line in body.splitlines() if line.strip() and '"""' not in line]
    assert len(code) <= 20
    path = tmp_path / "session.jsonl"
    write_session(path, session(play_synthetic("BTCUSDT", 7, 300)))
    names = {"__name__": "breakout", "instruments": INSTRUMENTS, "session": path, "ids": ids()}
    exec(compile(strategy, "SDK.md", "exec"), names)
    exec(compile(use, "SDK.md", "exec"), names)
    desk = names["bench"].desk  # type: ignore[attr-defined]
    assert desk.counts.signals >= 10
    assert desk.counts.fills >= 10
    assert desk.counts.rejected == {}
    rules = {intent.rule for intent in names["bench"].execution.intents}  # type: ignore[attr-defined]
    assert rules == {"new_high", "time"}


def test_the_settings_of_the_document_are_the_defaults() -> None:
    (toml,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    told = tomllib.loads(toml)["phase"]["scavenger"]
    told["symbols"] = tuple(told["symbols"])
    assert told == {item.name: item.default for item in fields(PhaseConfig)}
    assert issubclass(Scavenger.config_type, PhaseConfig)


def test_every_handler_is_in_the_table() -> None:
    assert {name for name in HANDLERS if f"| `{name}(" in TEXT} == HANDLERS


def test_the_strategy_of_the_readme_trades() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    names: dict[str, object] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), names)
    strategy = names["Dip"]
    assert isinstance(strategy, type)
    assert issubclass(strategy, Strategy)
    bench = Bench(strategy, PhaseConfig(), instruments(), ids=ids())
    bench.play(session(play_synthetic("BTCUSDT", 7, 300)))
    rules = [intent.rule for intent in bench.execution.intents]
    assert rules.count("out") >= 5
    assert rules.count("dip") >= rules.count("out"), "an exit for each fill, no more"
    assert abs(bench.desk.position_lots("BTCUSDT")) <= 5
