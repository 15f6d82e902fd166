"""Alembic environment of risk."""

from services.risk.institution_tables import Institution
from services.risk.ledger_tables import ChainLink
from services.risk.propaganda_tables import Claim
from services.risk.window_tables import WindowSlot
from shared import ingest_store
from shared.migrations import run_migrations

# The same metadata, once all files of tables have added to it.
run_migrations(*{ChainLink.metadata, Institution.metadata, Claim.metadata, WindowSlot.metadata}, ingest_store.metadata)
