"""Seeds of rules and values for migrations: what the files have and the database has not."""

import csv
from pathlib import Path

import sqlalchemy
from alembic import op

from services.risk import models

_HERE = Path(__file__).parent
_KEYS: dict[str, tuple[str, dict[str, object]]] = {
    "rules": ("code", {"version": 1, "valid_from": "2016-01-01"}),
    "rule_values": ("name", {}),
}


def insert_new(table: str) -> None:
    """Insert rows of `<table>.csv` that are missing: on a new database an earlier migration read the newest file."""
    key, besides = _KEYS[table]
    target = models.metadata.tables[table]
    known = set(op.get_bind().execute(sqlalchemy.select(target.c[key])).scalars())
    with (_HERE / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        rows = [{k: v or None for k, v in row.items()} | besides for row in csv.DictReader(file)]
    if new := [row for row in rows if row[key] not in known]:
        op.bulk_insert(target, new)
