"""Who calls: the proven principal of the RPC that is being served.

Owns the context variable. Must never decide what a caller may do.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from titan.options.v1.access_pb2 import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal and its role; an empty principal proved nothing."""

    principal: str
    role: Role.ValueType


ANONYMOUS = Caller("", Role.ROLE_ANYONE)
_current: ContextVar[Caller] = ContextVar("titan_caller", default=ANONYMOUS)


def current() -> Caller:
    """The caller of the RPC that this task serves."""
    return _current.get()


def enter(caller: Caller) -> None:
    """Set the caller for the rest of this RPC; every RPC runs in a task of its own."""
    _current.set(caller)
