"""Alembic environment of identity."""

from services.identity.link_tables import TABLES
from services.identity.personal_tables import PersonalRead
from shared import clock_store, ingest_store
from shared.migrations import run_migrations

# One metadata, once all files of tables have added to it.
run_migrations(*{table.metadata for table in (*TABLES, PersonalRead)}, ingest_store.metadata, clock_store.metadata)
