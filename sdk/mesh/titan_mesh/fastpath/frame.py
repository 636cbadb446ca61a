"""The FastPath frame in Python: 28 bytes of header, policy hash, payload, MAC.

Owns layout and incremental reading. Must never know keys, payload messages or sockets.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from titan_mesh.fastpath import errors
from titan_mesh.fastpath.errors import FastPathError
from titan_mesh.fastpath.mac import MAC_BYTES

MAGIC = b"TTN1"
VERSION = 1
HEADER_BYTES = 28
HASH_BYTES = 32
PREFIX_BYTES = HEADER_BYTES + HASH_BYTES
OVERHEAD_BYTES = PREFIX_BYTES + MAC_BYTES
PAYLOAD_MAX = 65536
NO_MAC = bytes(MAC_BYTES)
_HEADER = struct.Struct("<4sBBHIQq")


class Frame(NamedTuple):
    """One frame as received; signed is what its MAC covers."""

    frame_type: int
    key_id: int
    counter: int
    ts_ns: int
    policy_hash: bytes
    payload: bytes
    mac: bytes
    signed: bytes


def encode_signed(
    frame_type: int, key_id: int, counter: int, ts_ns: int, *, policy_hash: bytes, payload: bytes
) -> bytes:
    """Header, policy hash and payload (at most PAYLOAD_MAX): everything the MAC covers."""
    header = _HEADER.pack(MAGIC, VERSION, frame_type, key_id, len(payload), counter, ts_ns)
    return header + policy_hash + payload


class FrameReader:
    """Bytes in as they come, whole frames out."""

    __slots__ = ("_held", "_start")

    def __init__(self) -> None:
        self._held = bytearray()
        self._start = 0

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if self._start:
            del self._held[: self._start]
            self._start = 0
        self._held += data

    def next(self) -> Frame | None:
        """The next whole frame; None = more is needed; FastPathError = none can follow."""
        held, start = self._held, self._start
        have = len(held) - start
        if have < HEADER_BYTES:
            self._check_prefix(have)
            return None
        magic, version, frame_type, key_id, size, counter, ts_ns = _HEADER.unpack_from(held, start)
        if magic != MAGIC:
            raise _unreadable(errors.FRAME_BAD_MAGIC, "magic", magic.hex(), MAGIC.hex())
        if version != VERSION:
            raise _unreadable(errors.FRAME_BAD_VERSION, "version", version, VERSION)
        if size > PAYLOAD_MAX:
            raise _unreadable(errors.FRAME_OVERSIZE, "payload_len", size, PAYLOAD_MAX)
        whole = OVERHEAD_BYTES + size
        if have < whole:
            return None
        signed_end = start + PREFIX_BYTES + size
        signed = bytes(held[start:signed_end])
        mac = bytes(held[signed_end : start + whole])
        self._start = start + whole
        return Frame(
            frame_type,
            key_id,
            counter,
            ts_ns,
            signed[HEADER_BYTES:PREFIX_BYTES],
            signed[PREFIX_BYTES:],
            mac,
            signed,
        )

    def end(self) -> None:
        """The peer closed: an error if that cut a frame."""
        if len(self._held) > self._start:
            left = len(self._held) - self._start
            raise _unreadable(errors.FRAME_TRUNCATED, "frame", left, "a whole frame")

    def _check_prefix(self, have: int) -> None:
        prefix = bytes(self._held[self._start : self._start + min(have, len(MAGIC))])
        if not MAGIC.startswith(prefix):
            raise _unreadable(errors.FRAME_BAD_MAGIC, "magic", prefix.hex(), MAGIC.hex())
        if have > len(MAGIC) and self._held[self._start + len(MAGIC)] != VERSION:
            version = self._held[self._start + len(MAGIC)]
            raise _unreadable(errors.FRAME_BAD_VERSION, "version", version, VERSION)


def _unreadable(code: str, field: str, value: object, limit: object) -> FastPathError:
    return FastPathError(
        code,
        "the peer's bytes are no frame",
        field=field,
        value=value,
        limit=limit,
        hint="Check that the socket belongs to Execution of the same version.",
    )
