"""Keep what platforms stated in hash chains, months and flags counted from them, and totals that platforms give."""

import csv
from pathlib import Path

import sqlalchemy
from alembic import op

from services.risk import models
from services.risk.ledger_tables import ChainLink
from shared.rls import protect_by_platform

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("chain_links", "chains", "platform_months", "flag_days", "stated_totals")
_HERE = Path(__file__).parents[2]


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has the columns from its first migration, which knows the newest form of its tables.
    op.execute("ALTER TABLE assessments ADD COLUMN IF NOT EXISTS stated bytea")
    op.execute("ALTER TABLE assessments ADD COLUMN IF NOT EXISTS placed_on date")
    tables = [ChainLink.metadata.tables[name] for name in _TABLES]
    models.metadata.create_all(op.get_bind(), tables=tables)
    op.execute("ALTER TABLE chain_links ALTER COLUMN content SET STORAGE EXTERNAL")
    for table in _TABLES:
        protect_by_platform(table)
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
    op.drop_column("assessments", "placed_on")
    op.drop_column("assessments", "stated")
