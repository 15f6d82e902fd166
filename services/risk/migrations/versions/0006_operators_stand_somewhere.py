"""Keep where operators stand, what was forecast of them, and the investigations proposed."""

import csv
from pathlib import Path

import sqlalchemy
from alembic import op

from services.risk import models
from services.risk.foresight_tables import Forecast

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("standings", "forecasts", "investigations")
_SEED = Path(__file__).parents[2] / "rule_values.csv"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[Forecast.metadata.tables[name] for name in _TABLES])
    values = models.metadata.tables["rule_values"]
    known = set(op.get_bind().execute(sqlalchemy.select(values.c.name)).scalars())
    with _SEED.open(newline="", encoding="utf-8") as file:
        rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file) if row["name"] not in known]
    # None of them on a new database: an earlier migration reads the newest file.
    if rows:
        op.bulk_insert(values, rows)


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_table(table)
