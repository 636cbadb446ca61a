"""The command line of a phase: each bad start is a coded line and its exit code."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from titan_mesh.errors import (
    InstrumentError,
    KeyFileError,
    PolicyError,
    SettingError,
    TitanError,
    Unavailable,
)
from titan_sdk.runner import exit_code_of

TOML = """
[mesh]
account = "paper-main"
venue = "paper"
policy = "policy/risk_policy.json"
instruments = "instruments"
[nats]
url = "nats://127.0.0.1:1"
monitor_url = "http://127.0.0.1:1"
[execution]
socket = "run/execution.sock"
[phase.scavenger]
"""


def start(home: Path) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "titan_scavenger", "--home", str(home)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ),
    )
    return ended.returncode, ended.stderr


def replace(old: str, new: str) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        path = home / "titan.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


def append(text: str) -> Callable[[Path], None]:
    return replace("[phase.scavenger]\n", f"[phase.scavenger]\n{text}\n")


def break_policy(home: Path) -> None:
    path = home / "policy" / "risk_policy.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 01'))


def open_key(home: Path) -> None:
    (path,) = (home / "keys" / "fastpath").glob("*-scavenger.key")
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("change", "code", "exit_code"),
    [
        (lambda home: (home / "titan.toml").unlink(), "SETTINGS_UNREADABLE", 64),
        (replace('account = "paper-main"\n', ""), "SETTING_MISSING", 64),
        (replace('socket = "run/execution.sock"\n', ""), "SETTING_MISSING", 64),
        (replace("[phase.scavenger]\n", ""), "SETTING_MISSING", 64),
        (append("ofi_windw_ms = 5"), "SETTING_UNKNOWN", 64),
        (append("hold_ms = 0"), "SETTING_INVALID", 64),
        (append('hold_ms = "5"'), "SETTING_INVALID", 64),
        (append("queue_capacity = 0"), "SETTING_INVALID", 64),
        (append('crash_policy = "flatten"'), "SETTING_INVALID", 64),
        (append('symbols = ["DOGEUSDT"]'), "SYMBOL_UNKNOWN", 64),
        (replace("run/execution.sock", "run/" + "x" * 120), "SOCKET_PATH_TOO_LONG", 64),
        (break_policy, "POLICY_", 78),
        (open_key, "KEY_FILE_MODE", 78),
    ],
)
def test_a_bad_start_is_coded(
    titan_home: Path, change: Callable[[Path], None], code: str, exit_code: int
) -> None:
    (titan_home / "titan.toml").write_text(TOML)
    change(titan_home)
    returned, told = start(titan_home)
    assert returned == exit_code, told
    assert f"phase_failed code={code}" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("fault", "exit_code"),
    [
        (SettingError("A", ""), 64),
        (InstrumentError("A", ""), 64),
        (PolicyError("A", ""), 78),
        (KeyFileError("A", ""), 78),
        (Unavailable("BUS_UNAVAILABLE", ""), 75),
        (TitanError("INSTANCE_LOCK_HELD", ""), 73),
        (TitanError("INTENT_LOG_CORRUPT", ""), 70),
    ],
)
def test_exit_codes(fault: TitanError, exit_code: int) -> None:
    assert exit_code_of(fault) == exit_code
