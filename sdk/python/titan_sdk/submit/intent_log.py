"""The durable intent log: an intent is on disk before the first PREPARE speaks of it.

Owns one append-only file per phase ($HOME/phases/<phase>/intents.log), its lock, its torn tail
and its size. One
thread writes it. Must never know sockets, strategies or what an intent says: it keeps encoded
bytes.

Record: u32 body length | u32 crc32(body) | body; body = u8 kind | 16 bytes intent_id | rest,
little endian.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from titan_mesh.errors import TitanError

MAGIC = b"TTNINT01"
MAX_BODY_BYTES = 64 << 10
DEFAULT_CAPACITY_BYTES = 64 << 20
_HEAD = struct.Struct("<II")
_KIND_ID = struct.Struct("<B16s")
_INTENT = struct.Struct("<q")
_OUTCOME = struct.Struct("<BQ")


class Kind(IntEnum):
    """What a record says about its intent."""

    INTENT = 1
    OUTCOME = 2
    CLOSED = 3


class Verdict(IntEnum):
    """How the submission of an intent ended. Numbers are on disk: never reused."""

    ACCEPTED = 1
    REFUSED = 2
    EXPIRED = 3
    ABANDONED = 4


@dataclass(frozen=True, slots=True)
class LoggedIntent:
    """An intent as it is sent, for ever: the digest is over these bytes."""

    intent_id: bytes
    expires_at_boottime_ns: int
    payload: bytes


@dataclass(slots=True)
class OpenIntent:
    """An intent that an earlier run logged and whose end is not in the log."""

    logged: LoggedIntent
    accepted: bool = False


def _fault(
    code: str, path: Path, message: str, *, value: object, limit: object, hint: str
) -> TitanError:
    return TitanError(
        code=code,
        message=f"{path}: {message}",
        field="intents.log",
        value=str(value),
        limit=str(limit),
        hint=hint,
    )


class IntentLog:
    """The open log of one phase; holds the phase's instance lock until closed."""

    def __init__(self, path: Path, capacity_bytes: int = DEFAULT_CAPACITY_BYTES) -> None:
        self._path = path
        self._capacity_bytes = capacity_bytes
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = self._acquire_lock(path.with_suffix(".lock"))
        self.torn_bytes = 0
        self.open: dict[bytes, OpenIntent] = {}
        self.existed = path.exists() and path.stat().st_size > len(MAGIC)
        try:
            if path.exists():
                self._recover()
            self._file = self._open_file()
        except BaseException:
            os.close(self._lock)
            raise

    @staticmethod
    def _acquire_lock(path: Path) -> int:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise _fault(
                "INSTANCE_LOCK_HELD",
                path,
                "another process runs this phase",
                value="locked",
                limit="one process",
                hint="Stop the other process, or give this one another home.",
            ) from None
        return lock

    def _open_file(self) -> BinaryIO:
        file = self._path.open("ab", buffering=0)
        if file.tell() == 0:
            _write_all(file, MAGIC)
            os.fdatasync(file.fileno())
            _sync_directory(self._path.parent)
        return file

    def _recover(self) -> None:
        data = self._path.read_bytes()
        good = len(MAGIC)
        if MAGIC.startswith(data):  # the very first write was torn
            self.torn_bytes = len(data) % good
            os.truncate(self._path, len(data) // good * good)
            return
        if data[:good] != MAGIC:
            raise _fault(
                "INTENT_LOG_CORRUPT",
                self._path,
                "not an intent log",
                value=data[:8].hex(),
                limit=MAGIC.hex(),
                hint="Move it away only when titan status shows no working order of the phase.",
            )
        for end, body in _bodies(data, good):
            self._replay(body)
            good = end
        tail = data[good:]
        if not tail:
            return
        if not _is_torn(tail):
            raise _fault(
                "INTENT_LOG_CORRUPT",
                self._path,
                f"bad record at byte {good}",
                value=tail[:8].hex(),
                limit="a whole record",
                hint="The disk lost data; keep the file, and see titan status for working orders.",
            )
        self.torn_bytes = len(tail)
        with self._path.open("r+b") as file:
            file.truncate(good)
            os.fsync(file.fileno())

    def _replay(self, body: bytes) -> None:
        kind, intent_id = _KIND_ID.unpack_from(body)
        rest = body[_KIND_ID.size :]
        if kind == Kind.INTENT:
            (expires,) = _INTENT.unpack_from(rest)
            logged = LoggedIntent(intent_id, expires, rest[_INTENT.size :])
            self.open[intent_id] = OpenIntent(logged)
        elif kind == Kind.OUTCOME:
            verdict, _ = _OUTCOME.unpack_from(rest)
            if verdict == Verdict.ACCEPTED and intent_id in self.open:
                self.open[intent_id].accepted = True
            else:
                self.open.pop(intent_id, None)
        else:
            self.open.pop(intent_id, None)

    def _rotate(self) -> None:
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(MAGIC)
            for item in self.open.values():
                file.write(_intent_record(item.logged))
                if item.accepted:
                    file.write(_outcome_record(item.logged.intent_id, Verdict.ACCEPTED, 0, ""))
            file.flush()
            os.fsync(file.fileno())
        self._path.replace(self._path.with_suffix(".old"))
        fresh.replace(self._path)
        _sync_directory(self._path.parent)

    def append_intents(self, batch: Sequence[LoggedIntent]) -> None:
        """Write the batch and wait until the disk has it; only then may a PREPARE leave."""
        if self._file.tell() >= self._capacity_bytes:
            self._file.close()
            self._rotate()
            self._file = self._open_file()
        self._write(b"".join(_intent_record(item) for item in batch))
        os.fdatasync(self._file.fileno())
        for item in batch:
            self.open[item.intent_id] = OpenIntent(item)

    def append_outcome(
        self, intent_id: bytes, verdict: Verdict, lsn: int = 0, text: str = ""
    ) -> None:
        """Note how a submission ended. Not synced: a lost note costs one STATUS after a restart."""
        self._write(_outcome_record(intent_id, verdict, lsn, text))
        if verdict is Verdict.ACCEPTED:
            if intent_id in self.open:
                self.open[intent_id].accepted = True
        else:
            self.open.pop(intent_id, None)

    def append_closed(self, intent_id: bytes) -> None:
        """Note that the order of an accepted intent has ended."""
        if self.open.pop(intent_id, None) is not None:
            self._write(_record(Kind.CLOSED, intent_id, b""))

    def _write(self, data: bytes) -> None:
        _write_all(self._file, data)

    def close(self) -> None:
        """Sync, close and release the lock."""
        if self._file.closed:
            return
        os.fdatasync(self._file.fileno())
        self._file.close()
        os.close(self._lock)


def _record(kind: Kind, intent_id: bytes, rest: bytes) -> bytes:
    body = _KIND_ID.pack(kind, intent_id) + rest
    assert len(intent_id) == 16
    assert len(body) <= MAX_BODY_BYTES
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _intent_record(item: LoggedIntent) -> bytes:
    return _record(
        Kind.INTENT, item.intent_id, _INTENT.pack(item.expires_at_boottime_ns) + item.payload
    )


def _outcome_record(intent_id: bytes, verdict: Verdict, lsn: int, text: str) -> bytes:
    return _record(Kind.OUTCOME, intent_id, _OUTCOME.pack(verdict, lsn) + text.encode()[:256])


def _bodies(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """(end offset, body) of each whole record from start; stops at the first that is not whole."""
    at = start
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if (
            not _KIND_ID.size <= length <= MAX_BODY_BYTES
            or len(body) < length
            or zlib.crc32(body) != crc
        ):
            return
        at += _HEAD.size + length
        yield at, body


def _is_torn(tail: bytes) -> bool:
    """True when the tail is one unfinished write: too short for its own length, or zeros after a
    crash.
    """
    if len(tail) < _HEAD.size or not any(tail):
        return True
    length, _ = _HEAD.unpack_from(tail)
    return bool(_KIND_ID.size <= length <= MAX_BODY_BYTES and len(tail) < _HEAD.size + length)


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
