"""Alembic environment of risk."""

from services.risk.foresight_tables import Warned
from services.risk.institution_tables import Institution
from services.risk.ledger_tables import ChainLink
from services.risk.numbering_tables import SentNumbers
from services.risk.person_tables import ContactViolation
from services.risk.propaganda_tables import Claim
from services.risk.registered_tables import CustomsStanding
from services.risk.removal_tables import ReviewRemovalsBatch
from services.risk.weight_tables import Offer
from services.risk.window_tables import WindowSlot
from shared import ingest_store
from shared.migrations import run_migrations

# The same metadata, once all files of tables have added to it.
_TABLES = (
    ChainLink,
    Institution,
    Claim,
    CustomsStanding,
    WindowSlot,
    ReviewRemovalsBatch,
    Warned,
    SentNumbers,
    Offer,
    ContactViolation,
)
run_migrations(*{table.metadata for table in _TABLES}, ingest_store.metadata)
