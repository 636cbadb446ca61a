"""Migrations make what the schema says, go back to nothing, and run by themselves at a start."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from titan_brain.ledger import rows
from titan_brain.store import schema
from titan_brain.store.database import Database, DatabaseError
from titan_brain.store.migrations import HEAD, runner
from titan_brain.store.schema import METADATA


async def test_a_fresh_file_gets_every_table(tmp_path: Path) -> None:
    database = Database(tmp_path / "brain.db")
    await database.open()
    async with database.read() as connection:
        names = await connection.run_sync(lambda sync: set(sa.inspect(sync).get_table_names()))
    await database.close()
    assert names == {*METADATA.tables, "alembic_version"}


def test_migrations_and_schema_agree(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'brain.db'}")
    with engine.begin() as connection:
        runner.upgrade(connection)
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == HEAD
        head = ScriptDirectory.from_config(runner.config_for(connection)).get_current_head()
        assert head == HEAD
        runner.downgrade(connection, "base")
        assert set(sa.inspect(connection).get_table_names()) == {"alembic_version"}
        runner.upgrade(connection)
        assert set(METADATA.tables) < set(sa.inspect(connection).get_table_names())


@pytest.mark.parametrize(
    ("table", "shape"),
    [
        (schema.EXEC_CURSOR, rows.Cursor),
        (schema.ORDERS, rows.Order),
        (schema.FILLS, rows.Fill),
        (schema.POSITIONS, rows.Position),
    ],
)
def test_columns_come_in_the_order_of_the_folds_fields(table: sa.Table, shape: type) -> None:
    assert [column.name for column in table.columns] == [item.name for item in fields(shape)]


async def test_a_restart_finds_the_current_revision(tmp_path: Path) -> None:
    for _ in range(2):
        database = Database(tmp_path / "brain.db")
        await database.open()
        await database.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "brain.db"
    path.write_bytes(b"this is not a database, and it is longer than a header of SQLite" * 40)
    with pytest.raises(DatabaseError) as caught:
        await Database(path).open()
    assert caught.value.code == "DATABASE_UNUSABLE"
    assert caught.value.field == "brain.database"


async def test_only_the_writer_writes(tmp_path: Path) -> None:
    database = Database(tmp_path / "brain.db")
    await database.open()
    with pytest.raises(sa.exc.OperationalError, match="readonly"):
        async with database.read() as connection:
            await connection.execute(sa.text("DELETE FROM reports"))
    await database.make_durable()
    await database.close()
