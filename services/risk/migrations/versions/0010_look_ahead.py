"""Keep which reviews were removed, forecasts of single operators, and warnings."""

import csv
from pathlib import Path

import sqlalchemy
from alembic import op

from services.risk import models
from services.risk.outlook_tables import ReviewRemovalsBatch

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = ("review_removals",)
_HERE = Path(__file__).parents[2]


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    tables = [ReviewRemovalsBatch.metadata.tables[name] for name in _TABLES]
    models.metadata.create_all(op.get_bind(), tables=tables)
    op.execute("ALTER TABLE review_removals ALTER COLUMN content SET STORAGE EXTERNAL")
    _seed("rules", "code", {"version": 1, "valid_from": "2016-01-01"})
    _seed("rule_values", "name", {})


def _seed(table: str, key: str, besides: dict[str, object]) -> None:
    """Insert what a file has and the table does not: on a new database an earlier migration read the newest file."""
    target = models.metadata.tables[table]
    known = set(op.get_bind().execute(sqlalchemy.select(target.c[key])).scalars())
    with (_HERE / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        rows = [{k: v or None for k, v in row.items()} | besides for row in csv.DictReader(file)]
    if new := [row for row in rows if row[key] not in known]:
        op.bulk_insert(target, new)


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_table(table)
