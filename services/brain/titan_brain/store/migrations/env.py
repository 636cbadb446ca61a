"""How alembic reaches the database: over the connection that the Brain hands in, and only so."""

from __future__ import annotations

from alembic import context

from titan_brain.store.schema import METADATA


def run() -> None:
    """Runs the wanted revisions inside the caller's transaction."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
    context.run_migrations()


run()
