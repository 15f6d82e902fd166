"""Alembic environment of identity."""

from services.identity import badge_tables, consent_tables, link_tables, search_tables
from services.identity.personal_tables import PersonalRead
from services.identity.purge_tables import Purge
from services.identity.registry_tables import RegistryEntry
from shared import clock_store, ingest_store
from shared.migrations import run_migrations

# One metadata, once all files of tables have added to it.
_LISTS = (badge_tables.TABLES, consent_tables.TABLES, link_tables.TABLES, search_tables.TABLES)
_TABLES = (*(table for tables in _LISTS for table in tables), PersonalRead, Purge, RegistryEntry)
run_migrations(*{table.metadata for table in _TABLES}, ingest_store.metadata, clock_store.metadata)
