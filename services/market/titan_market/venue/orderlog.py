"""The venue's order log on disk: length-delimited OrderLogEntry, append-only, single writer.

Owns the file, its lock and its recovery. Must never rewrite an entry: a torn last entry, which
nobody was answered for, is cut off; anything else that is wrong stops the venue.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from google.protobuf.message import DecodeError
from titan.venue.v1 import order_log_pb2
from titan_mesh.errors import TitanError

from titan_market.venue.limits import MAX_LOG_ENTRY_BYTES

_MAX_VARINT_BYTES = 3


class EntrySink(Protocol):
    """Where entries go before anyone is answered."""

    def append(self, entry: order_log_pb2.OrderLogEntry) -> None:
        """Takes an entry; it is kept once `flush` returned."""

    def flush(self) -> None:
        """Everything appended has left this process."""


def encode_varint(value: int) -> bytes:
    """Protobuf varint of a length."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _decode_length(data: bytes, at: int) -> tuple[int, int] | None:
    """(length, next position), or None when the data end inside it."""
    value = 0
    for step in range(_MAX_VARINT_BYTES):
        if at + step >= len(data):
            return None
        byte = data[at + step]
        value |= (byte & 0x7F) << (7 * step)
        if not byte & 0x80:
            return value, at + step + 1
    return MAX_LOG_ENTRY_BYTES + 1, at


def read_entries(data: bytes) -> Iterator[tuple[order_log_pb2.OrderLogEntry, int]]:
    """Whole entries with the position after each; stops before a torn last one."""
    at = 0
    while at < len(data):
        head = _decode_length(data, at)
        if head is not None:
            length, start = head
            if not 0 < length <= MAX_LOG_ENTRY_BYTES:
                raise _corrupt(at, f"an entry of {length} bytes")
        if head is None or start + length > len(data):
            return
        try:
            entry = order_log_pb2.OrderLogEntry.FromString(data[start : start + length])
        except DecodeError as fault:
            raise _corrupt(at, str(fault)) from None
        at = start + length
        yield entry, at


def _corrupt(at: int, what: str) -> TitanError:
    return TitanError(
        code="ORDER_LOG_CORRUPT",
        message=f"the order log is damaged at byte {at}: {what}",
        field="orders.log",
        value=str(at),
        limit=f"entries of 1..{MAX_LOG_ENTRY_BYTES} bytes",
        hint="Keep the file for inspection and start the venue with a new home.",
    )


class OrderLog:
    """The open log file; holds an exclusive lock while it lives."""

    def __init__(self, path: Path, sync: bool = False) -> None:
        self.path = path
        self._sync = sync
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise TitanError(
                code="ORDER_LOG_LOCKED",
                message="another venue writes this order log",
                field="orders.log",
                value=str(path),
                limit="one venue per home",
                hint="Stop the other venue (titan down) or use another TITAN_HOME.",
            ) from None
        self._pending = bytearray()
        self.torn_bytes = 0

    def recover(self) -> list[order_log_pb2.OrderLogEntry]:
        """Every entry; a torn tail is cut off and counted in torn_bytes."""
        data = self.path.read_bytes()
        entries: list[order_log_pb2.OrderLogEntry] = []
        good = 0
        for entry, position in read_entries(data):
            entries.append(entry)
            good = position
        self.torn_bytes = len(data) - good
        if self.torn_bytes:
            os.ftruncate(self._fd, good)
        return entries

    def append(self, entry: order_log_pb2.OrderLogEntry) -> None:
        """Takes an entry; it is written by the next flush."""
        body = entry.SerializeToString(deterministic=True)
        self._pending += encode_varint(len(body))
        self._pending += body

    def flush(self) -> None:
        """Writes what was appended: it survives a kill of this process from here on, and a loss
        of power with sync."""
        if not self._pending:
            return
        while self._pending:
            written = os.write(self._fd, self._pending)
            del self._pending[:written]
        if self._sync:
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Lets the lock go; what was not flushed was never answered and is dropped."""
        self._pending.clear()
        os.close(self._fd)
