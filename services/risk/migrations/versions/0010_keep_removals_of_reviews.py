"""Keep which reviews were removed."""

from alembic import op

from services.risk import models
from services.risk.removal_tables import ReviewRemovalsBatch
from services.risk.seeds import insert_new

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("review_removals",)


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    tables = [ReviewRemovalsBatch.metadata.tables[name] for name in _TABLES]
    models.metadata.create_all(op.get_bind(), tables=tables)
    op.execute("ALTER TABLE review_removals ALTER COLUMN content SET STORAGE EXTERNAL")
    insert_new("rules")


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_table(table)
