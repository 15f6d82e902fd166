"""Create the tables of risk, with the seeded rules."""

import csv
from pathlib import Path

from alembic import op

from services.risk import models
from shared.migrations import create_messaging_tables, drop_messaging_tables
from shared.rls import protect_by_platform

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Only what there was then: later tables come by their own migrations.
_TABLES = ("rules", "assessments", "alerts", "day_features", "operators")
_SEED = Path(__file__).parents[2] / "rules.csv"


def upgrade() -> None:
    """Apply."""
    create_messaging_tables()
    models.metadata.create_all(op.get_bind(), [models.metadata.tables[name] for name in _TABLES])
    with _SEED.open(newline="", encoding="utf-8") as file:
        rows = [{**row, "version": 1, "valid_from": "2016-01-01"} for row in csv.DictReader(file)]
    op.bulk_insert(models.Rule.__table__, rows)
    for table in ("assessments", "alerts", "operators"):
        protect_by_platform(table)


def downgrade() -> None:
    """Undo."""
    models.metadata.drop_all(op.get_bind(), [models.metadata.tables[name] for name in _TABLES])
    drop_messaging_tables()
