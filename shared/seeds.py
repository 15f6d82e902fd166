"""Seeds of tables for migrations: what a file has and the database has not."""

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import sqlalchemy
from alembic import op
from sqlalchemy import Table


def insert_new(
    table: Table,
    file: Path,
    keys: Sequence[str],
    besides: Mapping[str, object] | None = None,
    lists: Collection[str] = (),
) -> None:
    """Insert the rows of a CSV file whose keys are missing; columns that are lists have spaces between their words.

    On a new database an earlier migration read the newest file. A row that is there stays as it is: it may have been
    changed on purpose since.
    """
    known = {tuple(map(str, row)) for row in op.get_bind().execute(sqlalchemy.select(*(table.c[key] for key in keys)))}
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [
            {name: text.split() if name in lists else text or None for name, text in row.items()} | dict(besides or {})
            for row in csv.DictReader(lines)
        ]
    if new := [row for row in rows if tuple(str(row[key]) for key in keys) not in known]:
        op.bulk_insert(table, new)
