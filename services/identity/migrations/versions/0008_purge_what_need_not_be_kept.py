"""Purge personal data that need not be kept any longer."""

from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.badge_tables import BadgeDay
from services.identity.purge_tables import Purge
from shared.seeds import insert_new

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (Purge.__tablename__, BadgeDay.__tablename__)
_SEED = Path(__file__).parents[2] / "rule_values.csv"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has the days: the migration of badges made them.
    models.metadata.create_all(op.get_bind(), [models.metadata.tables[name] for name in _TABLES])
    insert_new(models.metadata.tables["rule_values"], _SEED, ("name", "jurisdiction", "valid_from"))


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_table(table)
