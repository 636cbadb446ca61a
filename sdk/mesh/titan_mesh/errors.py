"""Errors with a stable code: what every edge of the mesh raises.

Owns the tree of exceptions. Must never know gRPC, NATS or a message type; rpc.status translates.
"""

from __future__ import annotations


class TitanError(Exception):
    """A refusal or failure that names what was wrong, with which value, against which limit."""

    def __init__(
        self,
        code: str,
        message: str,
        field: str = "",
        value: object = "",
        limit: object = "",
        *,
        hint: str = "",
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.field = field
        self.value = str(value)
        self.limit = str(limit)
        self.hint = hint

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.message}"]
        detail = [
            f"{name}={text}"
            for name, text in (("field", self.field), ("value", self.value), ("limit", self.limit))
            if text
        ]
        if detail:
            parts.append(f"({', '.join(detail)})")
        if self.hint:
            parts.append(f"- {self.hint}")
        return " ".join(parts)


class SettingError(TitanError):
    """titan.toml is missing a key, holds an unknown one, or a value that does not fit."""


class KeyFileError(TitanError):
    """A key file is missing, malformed or readable by others."""


class PolicyError(TitanError):
    """A risk policy that may not come into force."""


class InstrumentError(TitanError):
    """An instrument file whose grid does not hold, or a number that is off the grid."""


class MoneyError(TitanError):
    """A decimal that is not exact money."""


class AccessDenied(TitanError):
    """A caller that does not prove what it claims, or whose role may not do this."""


class InvalidMessage(TitanError):
    """A message that breaks a rule of the contract."""


class NotFound(TitanError):
    """What was asked for does not exist."""


class Conflict(TitanError):
    """Something else has what was asked for, or it has moved on meanwhile."""


class Unavailable(TitanError):
    """A dependency that does not answer; the same call may succeed later."""


class BusError(TitanError):
    """The bus refused or lost something that it should not have."""


class SpecDrift(BusError):
    """Streams or consumers on the server differ from the topology."""


class PoisonMessage(BusError):
    """A message that a consumer cannot apply."""
