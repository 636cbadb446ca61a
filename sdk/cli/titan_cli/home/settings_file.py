"""titan.toml: the defaults of a local mesh, read and written whole. Must never guess a value.

Settings are a table of sections; a section is named as in the file, "phase.scavenger" included.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from titan_mesh.errors import SettingError

from titan_cli.home.addresses import LOOPBACK, Ports

Value = str | int | bool
Settings = dict[str, dict[str, Value]]


def defaults() -> Settings:
    """Settings of a fresh home on the usual ports."""
    settings: Settings = {
        "mesh": {
            "account": "paper-main",
            "venue": "paper",
            "policy": "policy/risk_policy.json",
            "instruments": "instruments",
        },
        "nats": {},
        "execution": {
            "socket": "run/execution.sock",
            "journal": "journal",
            "durability": "process",
            "segment_bytes": 67_108_864,
            "spin_us": 0,
            "cpu": -1,
        },
        "brain": {"database": "brain.db"},
        "venue": {
            "socket": "run/venue.sock",
            "order_log": "venue/orders.log",
            "ack_delay_us": 0,
            "jitter_us": 0,
            "seed": 7,
            "sync": False,
        },
        "feed": {
            "source": "synthetic",
            "data": "",
            "seed": 7,
            "speed": "1",
            "market_seconds": 600,
            "keep_skew": False,
        },
        "phase.scavenger": {"reconnect_initial_ms": 100},
        "telemetry": {"otlp_endpoint": ""},
    }
    place(settings, Ports())
    return settings


def place(settings: Settings, ports: Ports) -> None:
    """Puts the ports into the addresses."""
    settings["nats"]["url"] = f"nats://{LOOPBACK}:{ports.nats}"
    settings["nats"]["monitor_url"] = f"http://{LOOPBACK}:{ports.monitor}"
    settings["execution"]["grpc"] = f"{LOOPBACK}:{ports.execution}"
    settings["brain"]["grpc"] = f"{LOOPBACK}:{ports.brain}"


def ports_of(settings: Settings) -> Ports:
    """The ports that the addresses name."""
    return Ports(
        nats=_port(settings, "nats", "url"),
        monitor=_port(settings, "nats", "monitor_url"),
        brain=_port(settings, "brain", "grpc"),
        execution=_port(settings, "execution", "grpc"),
    )


def _port(settings: Settings, section: str, key: str) -> int:
    address = text_of(settings, section, key)
    digits = address.rpartition(":")[2]
    if not digits.isdigit() or not 0 < int(digits) < 65_536:
        raise SettingError(
            "SETTING_INVALID",
            f"{section}.{key} names no port",
            f"{section}.{key}",
            address,
            "host:port",
            hint="Write the address with a port, for example 127.0.0.1:3002.",
        )
    return int(digits)


def text_of(settings: Settings, section: str, key: str) -> str:
    """One setting as text; SETTING_MISSING when it is not there."""
    try:
        return str(settings[section][key])
    except KeyError:
        raise SettingError(
            "SETTING_MISSING",
            f"titan.toml has no {section}.{key}",
            f"{section}.{key}",
            hint="Add it, or move titan.toml away and let `titan up` write a new one.",
        ) from None


def apply(settings: Settings, overrides: Mapping[str, Value]) -> None:
    """Sets section.key entries; only keys that exist or belong to a phase."""
    for name, value in overrides.items():
        section, _, key = name.rpartition(".")
        known = settings.get(section)
        if known is None or (key not in known and not section.startswith("phase.")):
            raise SettingError(
                "SETTING_UNKNOWN",
                f"there is no setting {name}",
                name,
                value,
                hint="titan up --help lists what may be set.",
            )
        known[key] = _like(known.get(key), value, name)


def _like(present: Value | None, value: Value, name: str) -> Value:
    """A value from the command line in the type that the setting has."""
    if not isinstance(value, str) or isinstance(present, str):
        return value
    if value in ("true", "false") and isinstance(present, bool | None):
        return value == "true"
    if value.lstrip("-").isdigit() and not isinstance(present, bool):
        return int(value)
    if present is None:
        return value
    raise SettingError(
        "SETTING_INVALID",
        f"{name} has another type",
        name,
        value,
        type(present).__name__,
        hint="titan.toml in the home shows how its values are written.",
    )


def read(path: Path) -> Settings:
    """The settings of a home."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingError(
            "HOME_MISSING",
            "there is no mesh in this home",
            "home",
            path.parent,
            hint="Start one with: titan up   (or name another with --home DIR)",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingError(
            "SETTING_INVALID",
            f"titan.toml is not TOML: {fault}",
            "titan.toml",
            path,
            hint="Correct the line that the message names.",
        ) from None
    settings: Settings = {}
    _flatten(tables, "", settings)
    return settings


def _flatten(tables: Mapping[str, Any], prefix: str, settings: Settings) -> None:
    for name, value in tables.items():
        if not isinstance(value, dict):
            continue
        section = f"{prefix}{name}"
        plain = {key: item for key, item in value.items() if not isinstance(item, dict)}
        if plain or len(plain) == len(value):
            settings[section] = plain
        _flatten(value, f"{section}.", settings)


def write(path: Path, settings: Settings) -> None:
    """Writes the file whole; a half-written one is never seen."""
    blocks = []
    for section, entries in settings.items():
        lines = [f"{key} = {_literal(value)}" for key, value in entries.items()]
        blocks.append("\n".join([f"[{section}]", *lines]))
    partial = path.with_name(path.name + ".new")
    partial.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    partial.replace(path)


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
