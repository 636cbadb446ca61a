"""TITAN_HOME: defaults, ports, pid files, what is refused and with which words."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from titan_cli.home import addresses, fresh, layout, pids, settings_file
from titan_cli.home.addresses import Ports
from titan_mesh.errors import TitanError
from titan_mesh.ids import SeededRng, SystemRng
from titan_mesh.settings import read_settings


def prepare(home: layout.Home, **wishes: object) -> settings_file.Settings:
    arguments = {"auto_ports": True, "overrides": {}, "compose": None, "rng": SystemRng()}
    return fresh.prepare(home, **{**arguments, **wishes})


def test_a_fresh_home_is_complete(tmp_path: Path) -> None:
    home = layout.Home(tmp_path)
    prepare(home)
    assert read_settings(tmp_path).mesh().account == "paper-main"
    assert (
        home.policy.read_bytes()
        == (fresh.compose_folder() / "policy" / "risk_policy.json").read_bytes()
    )
    assert (home.instruments / "BTCUSDT.json").is_file()
    key = home.keys / "grpc" / "brain.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o400
    assert "jetstream {" in (home.nats / "nats.conf").read_text()


def test_a_second_start_keeps_settings_keys_and_policy(tmp_path: Path) -> None:
    home = layout.Home(tmp_path)
    first = prepare(home, overrides={"feed.seed": 11, "phase.scavenger.order_lots": 3})
    key = (home.keys / "grpc" / "brain.key").read_bytes()
    home.policy.write_text("{}")
    second = prepare(home, auto_ports=False)
    assert second == first
    assert second["feed"]["seed"] == 11
    assert second["phase.scavenger"] == {"reconnect_initial_ms": 100, "order_lots": 3}
    assert (home.keys / "grpc" / "brain.key").read_bytes() == key
    assert home.policy.read_text() == "{}"


def test_values_survive_the_file(tmp_path: Path) -> None:
    settings = settings_file.defaults()
    settings["feed"]["data"] = 'a "quoted" \\ path'
    settings["venue"]["sync"] = True
    path = tmp_path / "titan.toml"
    settings_file.write(path, settings)
    assert settings_file.read(path) == settings


@pytest.mark.parametrize(
    ("overrides", "code"),
    [({"feed.sped": "2"}, "SETTING_UNKNOWN"), ({"fed.speed": "2"}, "SETTING_UNKNOWN")],
)
def test_an_unknown_setting_is_refused(
    tmp_path: Path, overrides: dict[str, str], code: str
) -> None:
    with pytest.raises(TitanError) as caught:
        prepare(layout.Home(tmp_path), overrides=overrides)
    assert caught.value.code == code
    assert caught.value.field in overrides


def test_values_from_the_command_line_take_the_type_of_the_setting() -> None:
    settings = settings_file.defaults()
    given = {"feed.seed": "3", "venue.sync": "true", "feed.speed": "5", "phase.scavenger.x": "2"}
    settings_file.apply(settings, given)
    assert settings["feed"]["seed"] == 3
    assert settings["venue"]["sync"] is True
    assert settings["feed"]["speed"] == "5"
    assert settings["phase.scavenger"]["x"] == 2
    with pytest.raises(TitanError, match="SETTING_INVALID"):
        settings_file.apply(settings, {"feed.seed": "three"})


def test_missing_and_damaged_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "titan.toml"
    with pytest.raises(TitanError, match="HOME_MISSING"):
        settings_file.read(path)
    path.write_text("[mesh\n")
    with pytest.raises(TitanError, match="SETTING_INVALID"):
        settings_file.read(path)
    path.write_text('[nats]\nurl = "nats://127.0.0.1:none"\n')
    with pytest.raises(TitanError, match=r"nats\.url") as caught:
        settings_file.ports_of(settings_file.read(path))
    assert caught.value.code == "SETTING_INVALID"


def test_an_occupied_port_names_its_holder() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert not addresses.is_free(port)
        assert f"(pid {os.getpid()})" in addresses.holder_of(port)
        with pytest.raises(TitanError) as caught:
            addresses.require_free(Ports(nats=port, monitor=0, brain=0, execution=0))
    error = caught.value
    assert (error.code, error.field) == ("PORT_OCCUPIED", "nats.url")
    assert f"pid {os.getpid()}" in error.message
    assert "--ports auto" in error.hint


def test_chosen_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    ports = addresses.choose(SeededRng(1))
    numbers = [port for _, port in ports.named()]
    assert len(set(numbers)) == 4
    assert all(addresses.AUTO_LOW <= number < addresses.AUTO_HIGH for number in numbers)


def test_a_long_home_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 110)
    with pytest.raises(TitanError) as caught:
        layout.locate(str(deep))
    assert caught.value.code == "SOCKET_PATH_TOO_LONG"
    assert "107 bytes" in caught.value.limit
    assert not deep.exists()


def test_home_comes_from_argument_then_environment_then_default(tmp_path: Path) -> None:
    assert layout.locate("/a", {"TITAN_HOME": "/b"}).root == Path("/a")
    assert layout.locate(None, {"TITAN_HOME": "/b"}).root == Path("/b")
    assert layout.locate(None, {}).root == Path.cwd() / ".titan"


def test_a_pid_file_is_believed_only_for_the_same_process(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    process = subprocess.Popen(["sleep", "30"])
    try:
        pids.write(path, process.pid)
        found = pids.read_living(path)
        assert found is not None
        assert found.pid == process.pid
        path.write_text(f"{process.pid} {found.born_ticks + 1}\n")
        assert pids.read_living(path) is None
        assert not path.exists()
        pids.write(path, process.pid)
    finally:
        process.kill()
        process.wait()
    assert pids.read_living(path) is None
    path.write_text("nonsense")
    assert pids.read_living(path) is None
    assert pids.read_living(path) is None
