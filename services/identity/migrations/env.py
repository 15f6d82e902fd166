"""Alembic environment of identity."""

from services.identity.registry_tables import RegistryEntry
from shared import clock_store, ingest_store
from shared.migrations import run_migrations

# The same metadata as of all tables of identity, once that file has added to it.
run_migrations(RegistryEntry.metadata, ingest_store.metadata, clock_store.metadata)
