"""Running migrations from inside the process.

Owns the alembic configuration. Must never open a connection: the caller's transaction is used.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def config_for(connection: Connection) -> Config:
    """Where alembic finds the revisions, and the connection it works on."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """To the newest revision."""
    command.upgrade(config_for(connection), "head")


def downgrade(connection: Connection, revision: str) -> None:
    """Back to a revision; "base" is an empty database."""
    command.downgrade(config_for(connection), revision)
