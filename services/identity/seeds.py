"""Seeds of values for migrations: what the file has and the database has not."""

import csv
from pathlib import Path

import sqlalchemy
from alembic import op

from services.identity import models

_SEED = Path(__file__).with_name("rule_values.csv")


def insert_new() -> None:
    """Insert values that are missing: on a new database an earlier migration read the newest file."""
    target = models.metadata.tables["rule_values"]
    known = set(op.get_bind().execute(sqlalchemy.select(target.c.name)).scalars())
    with _SEED.open(newline="", encoding="utf-8") as file:
        rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    if new := [row for row in rows if row["name"] not in known]:
        op.bulk_insert(target, new)
