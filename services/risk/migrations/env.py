"""Alembic environment of risk."""

import services.risk.outlook_tables  # noqa: F401 - its tables belong to the same metadata
from services.risk.ledger_tables import ChainLink
from shared import ingest_store
from shared.migrations import run_migrations

run_migrations(ChainLink.metadata, ingest_store.metadata)
