"""Alembic environment of identity."""

from services.identity import (
    badge_tables,
    breach_tables,
    consent_tables,
    link_tables,
    page_tables,
    removal_tables,
    search_tables,
    sharing_tables,
)
from services.identity.change_tables import FileDigest
from services.identity.disclosure_request_tables import DisclosureRequest
from services.identity.offer_tables import Offer
from services.identity.personal_tables import PersonalRead
from services.identity.purge_tables import Purge
from services.identity.registry_tables import RegistryEntry
from shared import clock_store, ingest_store
from shared.migrations import run_migrations

# One metadata, once all files of tables have added to it.
_LISTS = (
    *(badge_tables.TABLES, breach_tables.TABLES, consent_tables.TABLES, link_tables.TABLES),
    *(page_tables.TABLES, removal_tables.TABLES, sharing_tables.TABLES),
    *(search_tables.TABLES, search_tables.TABLES_BEFORE),
)
_SINGLE = (DisclosureRequest, FileDigest, Offer, PersonalRead, Purge, RegistryEntry)
_TABLES = (*(table for tables in _LISTS for table in tables), *_SINGLE)
run_migrations(*{table.metadata for table in _TABLES}, ingest_store.metadata, clock_store.metadata)
