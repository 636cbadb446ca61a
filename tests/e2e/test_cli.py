"""`titan` as people and scripts meet it: a process, its output, its exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from titan_cli import arguments
from titan_cli.exits import MEANINGS, Exit

ROOT = Path(__file__).resolve().parents[2]
POLICY = ROOT / "compose" / "policy" / "risk_policy.json"
BOUND_S = 90.0

pytestmark = pytest.mark.e2e


def titan(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "TITAN_HOME"}
    if home is not None:
        environment["TITAN_HOME"] = str(home)
    return subprocess.run(
        [sys.executable, "-m", "titan_cli", *words],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )


def last_object(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(found, dict)
    return found


def commands() -> list[str]:
    tree = arguments.parser()
    found = []
    for name, sub in tree._subparsers._group_actions[0].choices.items():
        inner = sub._subparsers._group_actions[0].choices if sub._subparsers else None
        found += [f"{name} {action}" for action in inner] if inner else [name]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_teaches_by_example(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments.parser().parse_args([*command.split(), "--help"])
    assert caught.value.code == 0
    words = capsys.readouterr().out
    assert "examples:" in words
    assert "--json" in words
    assert "--home" in words


def test_help_lists_every_exit_code(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        arguments.parser().parse_args(["--help"])
    words = capsys.readouterr().out
    assert all(meaning in words for meaning in MEANINGS.values())
    assert set(MEANINGS) == set(Exit)


def test_a_wrong_command_line_is_usage() -> None:
    done = titan("halt", "--reason", "typo")
    assert done.returncode == Exit.USAGE
    assert "unrecognized arguments" in done.stderr


def test_the_policy_hash_is_the_shells_hash() -> None:
    done = titan("policy", "hash", str(POLICY), "--json")
    shell = subprocess.run(
        f"jq -cS . {POLICY} | tr -d '\\n' | sha256sum",
        check=True, shell=True, capture_output=True, text=True, timeout=BOUND_S,
    )  # fmt: skip
    assert done.returncode == Exit.DONE
    assert last_object(done)["policy_hash"] == shell.stdout.split()[0]


def test_another_policy_is_a_failed_check(tmp_path: Path) -> None:
    changed = tmp_path / "policy.json"
    changed.write_text(POLICY.read_text().replace('"5000"', '"5001"'))
    expected = titan("policy", "hash", str(POLICY)).stdout.strip()
    done = titan("policy", "hash", str(changed), "--expect", expected, "--json")
    assert done.returncode == Exit.CHECK_FAILED
    assert last_object(done)["error"] == "POLICY_HASH_DIFFERS"
    assert expected in done.stderr


def test_without_a_mesh_status_says_how_to_start_one(tmp_path: Path) -> None:
    done = titan("status", "--json", home=tmp_path)
    assert done.returncode == Exit.USAGE
    assert last_object(done)["error"] == "HOME_MISSING"
    assert "titan up" in done.stderr


def test_keys_are_made_once_and_prove_a_principal(tmp_path: Path) -> None:
    first = last_object(titan("keys", "init", "--json", home=tmp_path))["written"]
    assert "keys/grpc/operator.key" in first
    assert last_object(titan("keys", "init", "--json", home=tmp_path))["written"] == []
    token = titan("keys", "token", "--principal", "operator", home=tmp_path).stdout.strip()
    assert re.fullmatch(r"Titan operator\.[0-9a-f]{64}", token)
    missing = titan("keys", "token", "--principal", "nobody", home=tmp_path)
    assert missing.returncode == Exit.USAGE
    assert "KEY_FILE_MISSING" in missing.stderr


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    titan("keys", "init", home=tmp_path)
    (tmp_path / "keys" / "grpc" / "operator.key").chmod(0o644)
    done = titan("keys", "token", "--principal", "operator", home=tmp_path)
    assert done.returncode == Exit.USAGE
    assert "KEY_FILE_MODE" in done.stderr


def test_an_occupied_port_is_named_with_its_holder(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = titan("up", "--set", f"brain.grpc=127.0.0.1:{port}", "--json", home=tmp_path)
    assert done.returncode == Exit.START_FAILED
    assert last_object(done)["error"] == "PORT_OCCUPIED"
    assert f"pid {os.getpid()}" in done.stderr or "is taken" in done.stderr
    assert "--ports auto" in done.stderr


def test_a_home_too_deep_for_sockets_is_refused(tmp_path: Path) -> None:
    done = titan("up", "--home", str(tmp_path / ("x" * 120)), "--json")
    assert done.returncode == Exit.USAGE
    assert last_object(done)["error"] == "SOCKET_PATH_TOO_LONG"


def test_bus_and_venue_come_up_in_the_background_and_go_down(tmp_path: Path) -> None:
    up = titan("up", "--detach", "--ports", "auto", "--only", "nats,venue", "--json", home=tmp_path)
    try:
        assert up.returncode == Exit.DONE, up.stderr
        ports = json.loads((tmp_path / "run" / "ports.json").read_text())
        assert ports["nats"].startswith("nats://127.0.0.1:")
        again = titan("up", "--detach", "--json", home=tmp_path)
        assert again.returncode == Exit.START_FAILED
        assert last_object(again)["error"] == "MESH_RUNNING"
        verified = titan("streams", "verify", "--json", home=tmp_path)
        assert (verified.returncode, last_object(verified)) == (Exit.DONE, {"differences": []})
        status = titan("status", "--json", home=tmp_path)
        assert status.returncode == Exit.UNREACHABLE
        shown = last_object(status)
        assert shown["silent"] == {
            "execution": "SERVICE_UNREACHABLE",
            "brain": "SERVICE_UNREACHABLE",
        }
        assert shown["processes"]["venue"]["state"] == "ready"
    finally:
        down = titan("down", "--json", home=tmp_path)
    assert down.returncode == Exit.DONE
    assert last_object(down)["stopped"] == ["supervisor"]
    assert last_object(titan("down", "--json", home=tmp_path))["stopped"] == []


def test_a_mesh_killed_outright_is_found_and_comes_up_again(tmp_path: Path) -> None:
    words = ("up", "--detach", "--ports", "auto", "--only", "nats,venue", "--json")
    first = titan(*words, home=tmp_path)
    try:
        assert first.returncode == Exit.DONE, first.stderr
        os.kill(int(last_object(first)["pid"]), signal.SIGKILL)
        left = titan(*words, home=tmp_path)
        assert last_object(left)["error"] == "MESH_RUNNING"
        assert "nats, venue" in left.stderr
        for path in (tmp_path / "run").glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(path.read_text().split()[0]), signal.SIGKILL)
        assert (tmp_path / "run" / "venue.sock").exists()
        again = titan(*words, home=tmp_path)
        assert again.returncode == Exit.DONE, again.stderr
    finally:
        titan("down", home=tmp_path)


def test_every_part_has_a_version() -> None:
    found = last_object(titan("version", "--json"))
    assert found["titan-cli"] == found["titan-mesh"] == found["titan-execution"]


def safe_blocks() -> list[str]:
    text = (ROOT / "README.md").read_text()
    return re.findall(r"<!-- readme-test: safe -->\n```console\n(.*?)```", text, re.S)


def test_the_readmes_safe_commands_run() -> None:
    blocks = safe_blocks()
    assert blocks
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in blocks:
        script = f"set -euo pipefail\n{block}"
        done = subprocess.run(
            ["bash", "-c", script],
            check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=BOUND_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        hashes = re.findall(r"[0-9a-f]{64}", done.stdout)
        assert len(set(hashes)) == 1


def test_the_readmes_commands_exist() -> None:
    known = set(commands())
    text = (ROOT / "README.md").read_text()
    blocks = "\n".join(re.findall(r"```console\n(.*?)```", text, re.S))
    used = re.findall(r"^titan ([a-z]+(?: (?:init|token|hash|plan|apply|verify))?)", blocks, re.M)
    assert used
    assert set(used) <= known
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make ([a-z-]+)", blocks, re.M)) <= targets
    paths = re.findall(r"^\| `([a-z][a-z/]+)`", text, re.M)
    assert paths
    assert all((ROOT / path).exists() for path in paths)


def test_the_readmes_strategy_is_a_strategy() -> None:
    text = (ROOT / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    scope: dict[str, object] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), scope)
    from titan_sdk import Strategy

    assert issubclass(scope["Dip"], Strategy)
