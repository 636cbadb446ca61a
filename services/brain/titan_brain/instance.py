"""One Brain per database: a lock that dies with its holder.

Owns the lock file beside the database. Must never remove it: the lock is the flock, not the file.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from titan_mesh.errors import Conflict


class InstanceLock:
    """Held from construction until close or death."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.lock")
        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise Conflict(
                "INSTANCE_LOCK_HELD",
                "another Brain has this database",
                "brain.database",
                database,
                "one process per database",
                hint="Stop the other one; titan status names it.",
            ) from None

    def close(self) -> None:
        """Lets the next one in."""
        os.close(self._handle)
