"""A home made ready to start: folders, settings, policy, instruments, keys, NATS configuration.

Everything is written only where it is missing, except what follows from titan.toml. Must never
change a policy, a key or a journal that is there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from titan_mesh import operator_keys
from titan_mesh.errors import SettingError
from titan_mesh.ids import Rng
from titan_mesh.nats_server import NatsOptions, config_text, ports_folder

from titan_cli.home import addresses, settings_file
from titan_cli.home.addresses import Ports
from titan_cli.home.layout import Home
from titan_cli.home.settings_file import Settings, Value


def prepare(
    home: Home,
    *,
    auto_ports: bool,
    overrides: Mapping[str, Value],
    compose: Path | None,
    rng: Rng,
) -> Settings:
    """Makes the home complete and returns its settings; its ports are free when it returns."""
    for folder in home.folders():
        folder.mkdir(parents=True, exist_ok=True)
    settings = settings_file.read(home.toml) if home.toml.is_file() else settings_file.defaults()
    if auto_ports:
        settings_file.place(settings, addresses.choose(rng))
    settings_file.apply(settings, overrides)
    ports = settings_file.ports_of(settings)
    addresses.require_free(ports)
    settings_file.write(home.toml, settings)
    _copy_compose(home, compose or compose_folder())
    operator_keys.init_keys(home.root, rng)
    write_nats_conf(home, ports)
    return settings


def compose_folder() -> Path:
    """The repository's compose/, seen from this file or from the current directory."""
    starts = (Path(__file__).resolve(), Path.cwd() / "titan.toml")
    for start in starts:
        for parent in start.parents:
            if (parent / "compose" / "policy" / "risk_policy.json").is_file():
                return parent / "compose"
    raise SettingError(
        "HOME_COMPOSE_MISSING",
        "no compose/ folder with a policy and instruments was found",
        "--compose",
        hint="Name it: titan up --compose DIR",
    )


def _copy_compose(home: Home, compose: Path) -> None:
    if not home.policy.exists():
        shutil.copyfile(compose / "policy" / "risk_policy.json", home.policy)
    if not any(home.instruments.glob("*.json")):
        for source in sorted((compose / "instruments").glob("*.json")):
            shutil.copyfile(source, home.instruments / source.name)


def write_nats_conf(home: Home, ports: Ports) -> None:
    """The embedded server's configuration; follows titan.toml at each start."""
    options = NatsOptions(folder=home.nats, port=ports.nats, monitor_port=ports.monitor)
    ports_folder(home.nats).mkdir(exist_ok=True)
    (home.nats / "nats.conf").write_text(config_text(options), encoding="utf-8")


def write_ports(home: Home, settings: Settings) -> None:
    """run/ports.json: the addresses in use."""
    shown = {
        "nats": settings_file.text_of(settings, "nats", "url"),
        "nats_monitor": settings_file.text_of(settings, "nats", "monitor_url"),
        "execution": settings_file.text_of(settings, "execution", "grpc"),
        "brain": settings_file.text_of(settings, "brain", "grpc"),
        "fastpath": str(home.run / "execution.sock"),
        "venue": str(home.run / "venue.sock"),
    }
    partial = home.ports.with_name("ports.json.new")
    partial.write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")
    partial.replace(home.ports)
