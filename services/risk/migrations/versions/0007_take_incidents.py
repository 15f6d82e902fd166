"""Keep security incidents, with the rules about them."""

import csv
from pathlib import Path

import sqlalchemy
from alembic import op

from services.risk import models
from shared.rls import protect_by_platform

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SEEDS = Path(__file__).parents[2]


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[models.metadata.tables["incidents"]])
    protect_by_platform("incidents")
    _add("rules", "code", {"version": 1, "valid_from": "2016-01-01"})
    _add("rule_values", "name", {})


def _add(table: str, key: str, fields: dict[str, object]) -> None:
    """Add the seeds that are not there yet: on a new database an earlier migration has read the newest file."""
    rows = models.metadata.tables[table]
    known = set(op.get_bind().execute(sqlalchemy.select(rows.c[key])).scalars())
    with (_SEEDS / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        missing = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file) if row[key] not in known]
    if missing:
        op.bulk_insert(rows, [row | fields for row in missing])


def downgrade() -> None:
    """Undo."""
    op.drop_table("incidents")
