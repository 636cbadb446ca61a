"""titan.toml bound to frozen dataclasses, one per section; unknown and missing keys fail.

Owns the reading of the file, the binding of types and the sections that every process has. Must
never know the sections of one service: their dataclasses live with it.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from titan_mesh.errors import SettingError

SETTINGS_FILE = "titan.toml"
MAX_SETTINGS_BYTES = 1 << 20
# sun_path holds 108 bytes with its terminating zero.
MAX_SOCKET_PATH_BYTES = 107
SECTIONS = frozenset({"mesh", "nats", "execution", "brain", "venue", "feed", "phase", "telemetry"})


class _Socket:
    """Marks a path that a Unix socket is bound to."""


SocketPath = Annotated[Path, _Socket()]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP address, written "host:port"."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSettings:
    """[mesh]: what all processes of one account agree on."""

    account: str
    venue: str
    policy: Path
    instruments: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings:
    """[nats]: where the bus is."""

    url: str
    monitor_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """[telemetry]: where traces go; an empty endpoint turns them off."""

    otlp_endpoint: str


Section = TypeVar("Section")


@dataclass(frozen=True, slots=True)
class Settings:
    """A titan.toml that parsed; sections are bound when they are asked for."""

    home: Path
    tables: Mapping[str, Any]

    def section(self, name: str, shape: type[Section]) -> Section:
        """The section as a frozen dataclass; dots descend, as in "phase.scavenger"."""
        table: Any = self.tables
        for part in name.split("."):
            table = table.get(part) if isinstance(table, Mapping) else None
            if table is None:
                raise _error(
                    "SETTING_MISSING", f"[{name}] is missing", name, "", f"section [{name}]"
                )
        if not isinstance(table, Mapping):
            raise _error(
                "SETTING_INVALID", f"{name} is no section", name, table, f"section [{name}]"
            )
        return _bind(table, shape, name, self.home)

    def mesh(self) -> MeshSettings:
        """The [mesh] section."""
        return self.section("mesh", MeshSettings)

    def nats(self) -> NatsSettings:
        """The [nats] section."""
        return self.section("nats", NatsSettings)

    def telemetry(self) -> TelemetrySettings:
        """The [telemetry] section."""
        return self.section("telemetry", TelemetrySettings)


def read_settings(home: Path) -> Settings:
    """The titan.toml of a TITAN_HOME."""
    path = home / SETTINGS_FILE
    try:
        text = path.read_bytes()
    except OSError as fault:
        raise _error(
            "SETTINGS_UNREADABLE",
            f"cannot read {path}: {fault.strerror}",
            SETTINGS_FILE,
            path,
            "a readable file",
        ) from None
    if len(text) > MAX_SETTINGS_BYTES:
        raise _error(
            "SETTINGS_INVALID",
            f"{path} is too large",
            SETTINGS_FILE,
            len(text),
            str(MAX_SETTINGS_BYTES),
        )
    try:
        tables = tomllib.loads(text.decode("utf-8"))
    except ValueError as fault:
        raise _error(
            "SETTINGS_INVALID", f"{path} is no TOML: {fault}", SETTINGS_FILE, fault, "TOML"
        ) from None
    for name, table in tables.items():
        if name not in SECTIONS or not isinstance(table, Mapping):
            raise _error(
                "SETTING_UNKNOWN", f"[{name}] is unknown", name, "", ", ".join(sorted(SECTIONS))
            )
    return Settings(home.absolute(), tables)


def socket_path(path: Path, field: str) -> Path:
    """The path, if a Unix socket can be bound to it."""
    size = len(bytes(path))
    if size > MAX_SOCKET_PATH_BYTES:
        raise SettingError(
            "SOCKET_PATH_TOO_LONG",
            f"{field}: the socket path has {size} bytes",
            field,
            path,
            f"{MAX_SOCKET_PATH_BYTES} bytes",
            hint="Choose a shorter TITAN_HOME.",
        )
    return path


def endpoint(text: str, field: str) -> Endpoint:
    """The address of "host:port"."""
    host, colon, port = text.rpartition(":")
    if (
        not colon
        or not host
        or not port.isascii()
        or not port.isdigit()
        or not 0 <= int(port) <= 65535
    ):
        raise _error("SETTING_INVALID", f"{field} is no address", field, text, '"host:port"')
    return Endpoint(host.strip("[]"), int(port))


def _error(code: str, message: str, field: str, value: object, limit: str) -> SettingError:
    return SettingError(
        code,
        message,
        field,
        value,
        limit,
        hint=f"Correct {SETTINGS_FILE}; `titan up` writes a whole one.",
    )


def _bind(table: Mapping[str, Any], shape: type[Section], name: str, home: Path) -> Section:
    assert dataclasses.is_dataclass(shape), f"{shape} must be a dataclass"
    hints = typing.get_type_hints(shape, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(shape)}
    for key, value in table.items():
        # A table below [phase] is a section of its own, not a key.
        if key not in fields and not isinstance(value, Mapping):
            raise _error(
                "SETTING_UNKNOWN",
                f"{name}.{key} is unknown",
                f"{name}.{key}",
                value,
                ", ".join(fields),
            )
        if key not in fields:
            raise _error(
                "SETTING_UNKNOWN",
                f"[{name}.{key}] is unknown",
                f"{name}.{key}",
                "",
                ", ".join(fields),
            )
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in table:
            values[key] = _convert(table[key], hints[key], f"{name}.{key}", home)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise _error(
                "SETTING_MISSING",
                f"{name}.{key} is missing",
                f"{name}.{key}",
                "",
                _named(hints[key]),
            )
    bound = shape(**values)
    assert not isinstance(bound, type)
    return bound


def _named(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return " | ".join(repr(choice) for choice in typing.get_args(hint))
    return str(getattr(hint, "__name__", hint))


def _convert(value: Any, hint: Any, field: str, home: Path) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        path = _convert(value, arguments[0], field, home)
        return (
            socket_path(path, field)
            if any(isinstance(mark, _Socket) for mark in arguments[1:])
            else path
        )
    if origin is Literal:
        if value in arguments and type(value) in {type(choice) for choice in arguments}:
            return value
        raise _error("SETTING_INVALID", f"{field} is no valid choice", field, value, _named(hint))
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        if not isinstance(value, list):
            raise _error(
                "SETTING_INVALID",
                f"{field} is no list",
                field,
                value,
                f"list of {_named(arguments[0])}",
            )
        return tuple(
            _convert(item, arguments[0], f"{field}[{index}]", home)
            for index, item in enumerate(value)
        )
    if origin in (types.UnionType, typing.Union):
        inner = [argument for argument in arguments if argument is not type(None)]
        assert len(inner) == 1, f"{field}: a union of types cannot be bound"
        return _convert(value, inner[0], field, home)
    return _scalar(value, hint, field, home)


def _scalar(value: Any, hint: Any, field: str, home: Path) -> Any:
    # type() and not isinstance: a TOML boolean is not an integer here.
    if hint in (bool, int, str) and type(value) is hint:
        return value
    if isinstance(value, str):
        if hint is Path:
            if value:
                return home / value
        elif hint is Endpoint:
            return endpoint(value, field)
        elif hint is Decimal:
            return _decimal(value, field)
    raise _error("SETTING_INVALID", f"{field} has the wrong type", field, value, _named(hint))


def _decimal(value: str, field: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _error("SETTING_INVALID", f"{field} is no decimal", field, value, "a decimal string")
    return number
