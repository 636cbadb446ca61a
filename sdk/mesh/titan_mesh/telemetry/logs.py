"""One line per event on stderr: `ts level service event key=value`.

Owns the line format. Must never know secrets: callers pass names and numbers.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

from titan_mesh.clock import Clock

MAX_VALUE_CHARS = 1024
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/,+@%[]")
_NS = 1_000_000_000


class Log:
    """The log of one service."""

    def __init__(self, service: str, clock: Clock, stream: TextIO | None = None) -> None:
        self.service = service
        self._clock = clock
        self._stream = stream

    def debug(self, event: str, **facts: object) -> None:
        """Detail for the developer."""
        self._write("DEBUG", event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Something happened as it should."""
        self._write("INFO", event, facts)

    def warn(self, event: str, **facts: object) -> None:
        """Something happened that the mesh copes with."""
        self._write("WARN", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Something happened that a person must look at."""
        self._write("ERROR", event, facts)

    def fault(self, event: str, fault: BaseException, **facts: object) -> None:
        """An exception, with the place it came from."""
        frames = traceback.extract_tb(fault.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
        self._write("ERROR", event, {**facts, "fault": repr(fault), "at": place})

    def _write(self, level: str, event: str, facts: dict[str, object]) -> None:
        seconds, rest_ns = divmod(self._clock.unix_ns(), _NS)
        stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        parts = [f"{stamp}.{rest_ns // 1000:06d}Z", level, self.service, event]
        parts += [f"{name}={shown(value)}" for name, value in facts.items()]
        # One write per line, so that lines of several threads do not mix.
        (self._stream or sys.stderr).write(" ".join(parts) + "\n")
        (self._stream or sys.stderr).flush()


def shown(value: object) -> str:
    """A value as one token: hex for bytes, quoted when it holds anything but plain characters."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    if len(text) > MAX_VALUE_CHARS:
        text = f"{text[:MAX_VALUE_CHARS]}..."
    if text and _PLAIN.issuperset(text):
        return text
    escaped = text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
    return f'"{escaped}"'


class _Bridge(logging.Handler):
    """Lines of libraries in the same form."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One record of a library."""
        level = self._log.error if record.levelno >= logging.ERROR else self._log.warn
        level("library", logger=record.name, text=record.getMessage())


def bridge_libraries(log: Log) -> None:
    """Route warnings and errors of the standard logging module into the log of the process."""
    logging.basicConfig(handlers=[_Bridge(log)], level=logging.WARNING, force=True)
