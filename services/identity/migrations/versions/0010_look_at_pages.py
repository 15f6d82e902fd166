"""Look at pages: how shops display licences, and what home pages disclose."""

from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.page_tables import TABLES
from shared.rls import protect_by_platform
from shared.seeds import insert_new

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "rule_values.csv"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [table.__table__ for table in TABLES])
    for table in TABLES:
        protect_by_platform(table.__tablename__)
    insert_new(models.metadata.tables["rule_values"], _SEED, ("name", "jurisdiction", "valid_from"))


def downgrade() -> None:
    """Undo."""
    for table in TABLES:
        op.drop_table(table.__tablename__)
