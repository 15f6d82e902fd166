"""Create the tables of identity."""

import csv
from pathlib import Path

from alembic import op

from services.identity import models
from shared import ingest_store
from shared.migrations import create_messaging_tables, drop_messaging_tables
from shared.rls import protect_by_platform

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "rule_values.csv"


def upgrade() -> None:
    """Apply."""
    create_messaging_tables()
    ingest_store.metadata.create_all(op.get_bind())
    models.metadata.create_all(op.get_bind())
    with _SEED.open(newline="", encoding="utf-8") as file:
        rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    op.bulk_insert(models.RuleValue.__table__, rows)
    for table in ("accepted_events", "accepted_batches", "accounts", "registration_files", "account_links"):
        protect_by_platform(table)


def downgrade() -> None:
    """Undo."""
    models.metadata.drop_all(op.get_bind())
    ingest_store.metadata.drop_all(op.get_bind())
    drop_messaging_tables()
