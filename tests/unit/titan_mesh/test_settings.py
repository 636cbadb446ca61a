"""titan.toml: strict in both directions, and each refusal names section.key."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from titan_mesh.errors import SettingError
from titan_mesh.settings import Endpoint, SocketPath, read_settings

MESH = """
[mesh]
account = "paper-main"
venue = "paper"
policy = "policy/risk_policy.json"
instruments = "instruments"
"""


@dataclass(frozen=True, kw_only=True)
class Example:
    """Every type that a section may have."""

    grpc: Endpoint
    socket: SocketPath
    journal: Path
    durability: Literal["process", "power"]
    spin_us: int
    sync: bool
    speed: Decimal
    symbols: tuple[str, ...] = ("BTCUSDT",)
    windows_ms: tuple[int, ...] = ()


EXAMPLE = """
[execution]
grpc = "127.0.0.1:3002"
socket = "run/execution.sock"
journal = "journal"
durability = "process"
spin_us = 0
sync = false
speed = "20"
"""


def settings(folder, text):
    (folder / "titan.toml").write_text(text)
    return read_settings(folder)


def refusal(folder, text, section="execution", shape=Example):
    with pytest.raises(SettingError) as refused:
        settings(folder, text).section(section, shape)
    return refused.value


def test_a_section_becomes_a_frozen_dataclass(tmp_path):
    bound = settings(tmp_path, EXAMPLE).section("execution", Example)
    assert bound == Example(
        grpc=Endpoint("127.0.0.1", 3002),
        socket=tmp_path / "run/execution.sock",
        journal=tmp_path / "journal",
        durability="process",
        spin_us=0,
        sync=False,
        speed=Decimal(20),
    )


def test_the_mesh_section_has_paths_below_the_home(tmp_path):
    mesh = settings(tmp_path, MESH).mesh()
    assert (mesh.account, mesh.venue) == ("paper-main", "paper")
    assert mesh.policy == tmp_path / "policy/risk_policy.json"


def test_a_dotted_section(tmp_path):
    @dataclass(frozen=True)
    class Phase:
        symbols: tuple[str, ...]

    text = '[phase.scavenger]\nsymbols = ["BTCUSDT"]\n'
    bound = settings(tmp_path, text).section("phase.scavenger", Phase)
    assert bound.symbols == ("BTCUSDT",)


def test_a_missing_key_is_named(tmp_path):
    fault = refusal(tmp_path, EXAMPLE.replace('journal = "journal"\n', ""))
    assert (fault.code, fault.field) == ("SETTING_MISSING", "execution.journal")


def test_an_unknown_key_is_named_with_its_value(tmp_path):
    fault = refusal(tmp_path, EXAMPLE + 'jornal = "x"\n')
    assert (fault.code, fault.field, fault.value) == (
        "SETTING_UNKNOWN",
        "execution.jornal",
        "x",
    )


def test_a_missing_section_is_named(tmp_path):
    fault = refusal(tmp_path, MESH)
    assert (fault.code, fault.field) == ("SETTING_MISSING", "execution")


def test_an_unknown_section_is_named(tmp_path):
    (tmp_path / "titan.toml").write_text("[brian]\n")
    with pytest.raises(SettingError) as refused:
        read_settings(tmp_path)
    assert (refused.value.code, refused.value.field) == ("SETTING_UNKNOWN", "brian")


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("spin_us = 0", "spin_us = true"),
        ("spin_us = 0", "spin_us = 0.5"),
        ("sync = false", "sync = 0"),
        ('durability = "process"', 'durability = "fast"'),
        ('grpc = "127.0.0.1:3002"', 'grpc = "127.0.0.1"'),
        ('grpc = "127.0.0.1:3002"', 'grpc = "127.0.0.1:99999"'),
        ('journal = "journal"', 'journal = ""'),
        ('speed = "20"', 'speed = "fast"'),
        ('speed = "20"', 'speed = "inf"'),
        ('speed = "20"', "speed = 20.0"),
        ('speed = "20"', 'speed = "20"\nsymbols = "BTCUSDT"'),
        ('speed = "20"', 'speed = "20"\nsymbols = [1]'),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(tmp_path, line, bad):
    fault = refusal(tmp_path, EXAMPLE.replace(line, bad))
    assert fault.code == "SETTING_INVALID"
    assert fault.field.startswith("execution.")
    assert fault.limit


def test_a_socket_path_that_no_kernel_takes(tmp_path):
    fault = refusal(tmp_path, EXAMPLE.replace("run/execution.sock", "x" * 108))
    assert (fault.code, fault.field) == ("SOCKET_PATH_TOO_LONG", "execution.socket")
    assert fault.limit == "107 bytes"


def test_no_file_and_no_toml_are_told_apart(tmp_path):
    with pytest.raises(SettingError) as missing:
        read_settings(tmp_path)
    assert missing.value.code == "SETTINGS_UNREADABLE"
    (tmp_path / "titan.toml").write_text("[mesh\n")
    with pytest.raises(SettingError) as broken:
        read_settings(tmp_path)
    assert broken.value.code == "SETTINGS_INVALID"
