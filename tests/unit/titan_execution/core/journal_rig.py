"""Journals for the tests: made, copied, damaged, recovered."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

from contract.reference import journal as reference
from titan_execution.core.journal import Journal
from titan_execution.core.journal_reader import Recovered, mark_of, recover
from titan_mesh.errors import TitanError

ACCOUNT = "paper-main"
SEGMENT = 4096


def make(path: Path, bodies: list[bytes], commit_every: int = 1, **options) -> list[tuple]:
    """A closed journal with those records; [(lsn, epoch, kind, body)]."""
    options.setdefault("segment_bytes", SEGMENT)
    written = []
    with Journal(path, ACCOUNT, **options) as journal:
        journal.epoch = journal.epoch + 1
        for number, body in enumerate(bodies):
            kind = 1 + number % 20
            written.append((journal.append(kind, body), journal.epoch, kind, body))
            if number % commit_every == commit_every - 1:
                journal.commit()
        journal.commit()
    return written


def reopen(path: Path) -> Recovered | str:
    """What recovery says: its facts, or the code of its refusal."""
    directory_fd = os.open(path, os.O_RDONLY)
    try:
        return recover(directory_fd, ACCOUNT.encode(), mark_of((path / "mark").read_bytes()))
    except TitanError as fault:
        return fault.code
    finally:
        os.close(directory_fd)


def twin(path: Path) -> list[tuple] | str:
    """What the slow twin says about the same directory."""
    try:
        return [(r.lsn, r.epoch, r.kind, r.body) for r in reference.read(path).records]
    except reference.Corrupt:
        return "JOURNAL_CORRUPT"


def copy(source: Path, target: Path) -> Path:
    """A fresh copy to damage."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def set_mark(path: Path, lsn: int) -> None:
    """The mark as a power cut may leave it: older than the segments."""
    data = bytearray((path / "mark").read_bytes())
    struct.pack_into("<QQ", data, 64, lsn, lsn ^ 0xFFFFFFFFFFFFFFFF)
    (path / "mark").write_bytes(bytes(data))


def used(path: Path) -> int:
    """Bytes of a segment up to the last one that is not zero."""
    return len(path.read_bytes().rstrip(b"\0"))
