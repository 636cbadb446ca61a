"""One file per revision. Only alembic reads them."""
