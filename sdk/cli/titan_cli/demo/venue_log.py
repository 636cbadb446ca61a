"""The venue's order log through the auditor's own reader. Must never write or ask Execution."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from titan.venue.v1 import order_log_pb2
from titan_mesh.errors import TitanError

MAX_ENTRY_BYTES = 1 << 16
_MAX_LENGTH_BYTES = 3

Entry = order_log_pb2.OrderLogEntry


def read(path: Path) -> list[Entry]:
    """Every whole entry; a torn last one was answered to nobody and is left out."""
    return [entry for entry, _ in entries(path.read_bytes())]


def entries(data: bytes) -> Iterator[tuple[Entry, int]]:
    """Whole entries, each with the position behind it."""
    at = 0
    while (head := _length(data, at)) is not None:
        length, start = head
        if not 0 < length <= MAX_ENTRY_BYTES:
            raise _damaged(at, f"an entry of {length} bytes")
        if start + length > len(data):
            return
        try:
            entry = Entry.FromString(data[start : start + length])
        except DecodeError as fault:
            raise _damaged(at, str(fault)) from None
        at = start + length
        yield entry, at


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """(length, position behind it) of a varint; None when the data end inside it."""
    value = 0
    for step in range(_MAX_LENGTH_BYTES):
        if at + step >= len(data):
            return None
        value |= (data[at + step] & 0x7F) << (7 * step)
        if data[at + step] < 0x80:
            return value, at + step + 1
    return MAX_ENTRY_BYTES + 1, at


def _damaged(at: int, what: str) -> TitanError:
    return TitanError(
        "ORDER_LOG_CORRUPT",
        f"the venue's log is damaged at byte {at}: {what}",
        "venue.order_log",
        at,
        f"entries of 1..{MAX_ENTRY_BYTES} bytes",
        hint="Keep the home for inspection.",
    )


class LogTail:
    """New entries of a log that another process appends to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = path.stat().st_size if path.exists() else 0

    def fresh(self) -> list[Entry]:
        """Entries since the last call; cheap when there are none."""
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return []
        if size <= self._at:
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            found = list(entries(file.read(size - self._at)))
        if found:
            self._at += found[-1][1]
        return [entry for entry, _ in found]
