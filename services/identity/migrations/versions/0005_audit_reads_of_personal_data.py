"""Keep who reads personal data, and what it may be read for."""

import csv
from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.personal_tables import PersonalRead, Purpose

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "purposes.csv"
_TABLES = (PersonalRead.__tablename__, Purpose.__tablename__)


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    tables = [models.metadata.tables[name] for name in _TABLES]
    models.metadata.create_all(op.get_bind(), tables)
    with _SEED.open(newline="", encoding="utf-8") as file:
        rows = [{name: text or None for name, text in row.items()} for row in csv.DictReader(file)]
    op.bulk_insert(Purpose.__table__, [row | {"roles": str(row["roles"]).split()} for row in rows])


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_table(table)
