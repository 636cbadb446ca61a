"""The SQLite file: connections, pragmas, migrations, one writer and several readers.

Owns how a transaction begins and how much of it survives what. Must never know a table.

WAL with synchronous=NORMAL: a commit survives kill -9 of the process; a power cut may roll back the
newest commits. That is enough for everything derived from the journal, since the journal is the
truth and a cursor that fell back is caught up from it by LSN. What is not derived (the epoch of the
Brain, halts, resumes, decisions that relax) is followed by `make_durable`, which brings it to disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from titan_mesh.errors import TitanError

from titan_brain.store.migrations import HEAD

READERS = 4
BUSY_TIMEOUT_MS = 5_000
# Option of a connection whose statement may not run inside a transaction.
_BARE = "titan_bare"


class DatabaseError(TitanError):
    """The Brain's database cannot be used."""


def _engine(path: Path, *, writer: bool) -> AsyncEngine:
    url = make_url("sqlite+aiosqlite://").set(database=str(path))
    size = 1 if writer else READERS
    engine = create_async_engine(url, pool_size=size, max_overflow=0, pool_timeout=30)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver's own transaction control would begin too late for a consistent read.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        if not writer:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_BARE):
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _upgrade(connection: Connection) -> None:
    if inspect(connection).has_table("alembic_version"):
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found == HEAD:
            return
    # alembic takes half a second to import; a restart on a current database does without.
    from titan_brain.store.migrations import runner

    runner.upgrade(connection)


class Database:
    """One file, one writing connection, a few reading ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = _engine(path, writer=True)
        self._reader = _engine(path, writer=False)

    async def open(self) -> None:
        """Creates the file or brings it to the newest revision, whole or not at all."""
        try:
            async with self.write() as connection:
                await connection.run_sync(_upgrade)
        except Exception as fault:
            await self.close()
            raise DatabaseError(
                "DATABASE_UNUSABLE",
                f"cannot open or migrate the database: {fault}",
                "brain.database",
                self.path,
                "a writable SQLite file of this or an older version",
            ) from fault

    async def close(self) -> None:
        """Closes every connection."""
        await self._writer.dispose()
        await self._reader.dispose()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """The one writing transaction; commits at the end, rolls back on any exception."""
        async with self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view of everything committed before it began."""
        async with self._reader.begin() as connection:
            yield connection

    async def make_durable(self) -> None:
        """Returns when every commit so far survives a power cut too."""
        async with self._writer.connect() as connection:
            bare = await connection.execution_options(**{_BARE: True})
            await bare.execute(text("PRAGMA wal_checkpoint(FULL)"))
