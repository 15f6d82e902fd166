"""Add a door for customs declarations, what inspections found, and the models that rank them."""

import csv
import secrets
from pathlib import Path

from alembic import op

from services.risk import models
from shared import ingest_store
from shared.rls import protect_by_platform

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = (
    "declarations",
    "inspections",
    "likeness_counts",
    "heading_values",
    "inspection_days",
    "draw_keys",
    "models",
    "rule_values",
)
_SEED = Path(__file__).parents[2] / "rule_values.csv"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    ingest_store.metadata.create_all(op.get_bind())
    models.metadata.create_all(op.get_bind(), [models.metadata.tables[name] for name in _TABLES])
    with _SEED.open(newline="", encoding="utf-8") as file:
        rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    op.bulk_insert(models.RuleValue.__table__, rows)
    op.bulk_insert(models.DrawKey.__table__, [{"name": "declarations", "key": secrets.token_bytes(32)}])
    for table in ("accepted_events", "accepted_batches", "declarations", "inspections"):
        protect_by_platform(table)


def downgrade() -> None:
    """Undo."""
    models.metadata.drop_all(op.get_bind(), [models.metadata.tables[name] for name in _TABLES])
    ingest_store.metadata.drop_all(op.get_bind())
