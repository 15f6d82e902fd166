"""Alembic environment of identity."""

from services.identity.link_tables import TABLES
from shared import ingest_store
from shared.migrations import run_migrations

# The same metadata, once all files of tables have added to it.
run_migrations(*{table.metadata for table in TABLES}, ingest_store.metadata)
