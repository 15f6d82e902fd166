"""Purge personal data that need not be kept any longer."""

from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.purge_tables import Purge
from shared.seeds import insert_new

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "rule_values.csv"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [models.metadata.tables[Purge.__tablename__]])
    insert_new(models.metadata.tables["rule_values"], _SEED, ("name", "jurisdiction", "valid_from"))


def downgrade() -> None:
    """Undo."""
    op.drop_table(Purge.__tablename__)
