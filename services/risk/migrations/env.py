"""Alembic environment of risk."""

from services.risk.ledger_tables import ChainLink
from services.risk.window_tables import WindowSlot
from shared import ingest_store
from shared.migrations import run_migrations

assert WindowSlot.metadata is ChainLink.metadata, "importing a table adds it to the metadata of all"
run_migrations(ChainLink.metadata, ingest_store.metadata)
