"""Slow twin of the journal: reads a directory from docs/FASTPATH.md alone, and writes one segment.

Shares no code with the engine's journal; whoever doubts a journal can run this on a copy.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import NamedTuple

HEADER_BYTES = 128
RECORD_BYTES = 49
BODY_MAX = 65536


class Corrupt(Exception):
    """A committed record does not hold; args: expected LSN, segment name, offset."""


class Record(NamedTuple):
    """One journal record."""

    lsn: int
    epoch: int
    durable_lsn: int
    kind: int
    body: bytes


class Read(NamedTuple):
    """A whole journal."""

    records: list[Record]
    chain: bytes
    torn: bool


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C, byte by byte."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def record_bytes(record: Record, chain: bytes) -> tuple[bytes, bytes]:
    """(the record as it lies in the file, the chain behind it)."""
    size = struct.pack("<I", len(record.body))
    rest = (
        struct.pack("<QQQ16sB", record.lsn, record.epoch, record.durable_lsn, chain, record.kind)
        + record.body
    )
    crc = struct.pack("<I", crc32c(size + rest))
    return size + crc + rest, hashlib.sha256(rest).digest()[:16]


def header_bytes(
    ordinal: int, segment_bytes: int, first_lsn: int, epoch: int, *, chain: bytes, account: str
) -> bytes:
    """A segment header."""
    tail = struct.pack(
        "<IQQQQ16sB63s",
        0,
        segment_bytes,
        ordinal,
        first_lsn,
        epoch,
        chain,
        len(account),
        account.encode(),
    )
    return b"TTNJRNL1" + struct.pack("<I", crc32c(b"TTNJRNL1" + tail)) + tail


def committed(directory: Path) -> int:
    """The mark."""
    data = (directory / "mark").read_bytes()
    value, inverse = struct.unpack_from("<QQ", data, 64)
    return max(value, inverse ^ 0xFFFFFFFFFFFFFFFF)


def _whole(data: bytes, at: int) -> tuple[Record, bytes] | None:
    """The record at that offset and the chain before it, if its CRC holds."""
    if at + RECORD_BYTES > len(data):
        return None
    size, crc, lsn, epoch, durable, chain, kind = struct.unpack_from("<IIQQQ16sB", data, at)
    end = at + RECORD_BYTES + size
    if lsn == 0 or size > BODY_MAX or end > len(data):
        return None
    if crc != crc32c(data[at : at + 4] + data[at + 8 : end]):
        return None
    return Record(lsn, epoch, durable, kind, data[at + RECORD_BYTES : end]), chain


def _claim(data: bytes, start: int) -> int:
    """The highest durable LSN that any whole record behind start claims."""
    found = (
        _whole(data, at)
        for at in range(start, len(data) - RECORD_BYTES + 1)
        if any(data[at : at + 16])
    )
    return max((held[0].durable_lsn for held in found if held), default=0)


def read(directory: Path) -> Read:
    """All good records; Corrupt where one is missing that was committed."""
    records: list[Record] = []
    chain, expected, epoch, mark = bytes(16), 1, 0, committed(directory)
    bad: tuple[str, int] | None = None
    paths = sorted(directory.glob("????????.seg"))
    for path in paths:
        data = path.read_bytes()
        header = data[:HEADER_BYTES]
        holds = len(header) == HEADER_BYTES and header[8:12] == struct.pack(
            "<I", crc32c(header[:8] + header[12:])
        )
        first, first_epoch, first_chain = struct.unpack_from("<QQ16s", header.ljust(128, b"\0"), 32)
        if bad or not holds:
            mark = max(mark, _claim(data, 0), first - 1 if holds and first else 0)
            bad = bad or (path.name, 0)
            continue
        if first == 0:
            continue
        if path == paths[0]:
            chain, expected, epoch = first_chain, first, first_epoch
        elif (first, first_chain) != (expected, chain):
            raise Corrupt(expected, path.name, 0)
        at = HEADER_BYTES
        while (held := _whole(data, at)) is not None:
            record, before = held
            if record.lsn != expected or before != chain or record.epoch < epoch:
                raise Corrupt(expected, path.name, at)
            _, chain = record_bytes(record, chain)
            records.append(record)
            expected, epoch = expected + 1, record.epoch
            at += RECORD_BYTES + len(record.body)
        if any(data[at:]):
            mark = max(mark, _claim(data, at))
            bad = (path.name, at)
    if expected <= mark:
        raise Corrupt(expected, *(bad or ("", 0)))
    return Read(records, chain, bad is not None)
