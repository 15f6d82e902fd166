"""Keep a registry of payment institutions with every change, what offers claim, and what is complained of."""

import csv
from pathlib import Path

import sqlalchemy
from alembic import op

from services.risk import models, propaganda_tables
from services.risk.institution_tables import NAMES_INSTITUTION
from shared.rls import protect_by_platform

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# No platform's rows: whoever may read risk's answers may know who is certified.
_TABLES = ("institutions", "institution_certifications", "institution_channels", "institution_changes")
# Rows of platforms.
_OF_PLATFORMS = ("claims", "grievances")
_RULES = Path(__file__).parents[2] / "rules.csv"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    metadata = propaganda_tables.Claim.metadata
    tables = [metadata.tables[name] for name in (*_TABLES, *_OF_PLATFORMS)]
    models.metadata.create_all(op.get_bind(), tables=tables)
    # A new database has it from its first migration, which knows the newest form of its tables.
    where = f"USING gin (evidence) WHERE {NAMES_INSTITUTION}"
    op.execute(f"CREATE INDEX IF NOT EXISTS ix_alerts_institution ON alerts {where}")
    for table in _OF_PLATFORMS:
        protect_by_platform(table)
    _seed_rules()


def _seed_rules() -> None:
    """Insert the rules that are not there yet: on a new database the first migration read the newest file."""
    rules = models.metadata.tables["rules"]
    known = set(op.get_bind().execute(sqlalchemy.select(rules.c.code)).scalars())
    with _RULES.open(newline="", encoding="utf-8") as file:
        rows = [row | {"version": 1, "valid_from": "2016-01-01"} for row in csv.DictReader(file)]
    if new := [row for row in rows if row["code"] not in known]:
        op.bulk_insert(rules, new)


def downgrade() -> None:
    """Undo."""
    op.execute("DROP INDEX ix_alerts_institution")
    for table in (*_OF_PLATFORMS, *reversed(_TABLES)):
        op.drop_table(table)
