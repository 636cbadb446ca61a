"""What the author's side wrote down: the phases' intent logs, read by the auditor. Never writes.

Record: u32 length, u32 crc32, body = u8 kind, 16 bytes intent_id, rest; little endian.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

MAGIC = b"TTNINT01"
_HEAD = struct.Struct("<II")
_KIND_INTENT, _KIND_OUTCOME = 1, 2
_VERDICT_ACCEPTED = 1
_ID_END = 17


@dataclass(slots=True)
class AuthorsRecord:
    """Intents that an author logged, and those it was told ACCEPTED for."""

    logged: set[bytes] = field(default_factory=set)
    accepted: set[bytes] = field(default_factory=set)


def read(home: Path) -> AuthorsRecord:
    """The record of every phase of a home, rotated files included."""
    record = AuthorsRecord()
    for suffix in ("old", "log"):
        for path in sorted(home.glob(f"phases/*/intents.{suffix}")):
            _take(path.read_bytes(), record)
    return record


def _take(data: bytes, record: AuthorsRecord) -> None:
    at = len(MAGIC)
    if data[:at] != MAGIC:
        return
    while at + _HEAD.size <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(body) < max(length, _ID_END) or zlib.crc32(body) != crc:
            return
        kind, intent_id = body[0], body[1:_ID_END]
        if kind == _KIND_INTENT:
            record.logged.add(intent_id)
        elif kind == _KIND_OUTCOME and body[_ID_END] == _VERDICT_ACCEPTED:
            record.accepted.add(intent_id)
        at += _HEAD.size + length
