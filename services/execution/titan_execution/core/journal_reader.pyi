import os
from typing import NamedTuple

class Recovered(NamedTuple):
    records: int
    last_lsn: int
    epoch: int
    chain: bytes
    segments: int
    ordinal: int
    at: int
    torn_bytes: int
    torn_at: str

class JournalTail:
    def __init__(self, path: str | os.PathLike[str]) -> None: ...
    @property
    def committed_lsn(self) -> int: ...
    def read(
        self, from_lsn: int, max_records: int = 1024, max_bytes: int = 1048576
    ) -> list[tuple[int, int, int, bytes]]: ...
    def close(self) -> None: ...

def recover(directory_fd: int, account: bytes, mark: int) -> Recovered: ...
def mark_of(mark: bytes) -> int: ...
