"""Replay of the whole journal into an engine, then the first records of the new epoch.

Owns the order of R1 to R4: replay, EPOCH, HALT latch, UNKNOWN. Must never let anything open before
its records are committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_execution.core.host import EngineHost, ReplayFailed
from titan_execution.core.journal import Journal
from titan_execution.core.journal_reader import JournalTail

BATCH_RECORDS = 4_096
BATCH_BYTES = 4 << 20


class Recovered(NamedTuple):
    """What recovery found and left."""

    records: int
    epoch: int
    unknown_orders: int
    halted: bool
    state_hash: int


def recover(host: EngineHost, journal: Journal, path: Path, clock: Clock) -> Recovered:
    """Replays every record, raises the epoch, journals what the crash left open."""
    records = replay(host, path)
    journal.epoch = journal.recovered.epoch + 1
    host.start(journal.epoch, clock.boottime_ns(), clock.unix_ns())
    for kind, lsn, body in host.drain_records():
        written = journal.append(kind, body)
        assert written == lsn, f"journal LSN {written} is not the engine's {lsn}"
    journal.commit()
    return Recovered(records, journal.epoch, host.unknown_orders, host.halted, host.state_hash())


def replay(host: EngineHost, path: Path) -> int:
    """Applies every committed record; the number of them."""
    tail = JournalTail(path)
    count = 0
    try:
        while batch := tail.read(host.next_lsn, BATCH_RECORDS, BATCH_BYTES):
            for _lsn, _epoch, _kind, body in batch:
                host.replay(body)
            count += len(batch)
    except ReplayFailed as fault:
        raise TitanError(
            "JOURNAL_REPLAY",
            f"the journal cannot be replayed: {fault}",
            "journal",
            fault.lsn,
            hint="Start with the policy and the build that wrote it.",
        ) from None
    finally:
        tail.close()
    return count
