"""Keep what keys did lately: snapshots of the second stage, and what came after them."""

from alembic import op

from services.risk import models
from services.risk.seeds import insert_new
from services.risk.window_tables import WindowSlot

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = ("window_slots", "window_snapshots", "window_batches")


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[WindowSlot.metadata.tables[name] for name in _TABLES])
    # Compressed already.
    op.execute("ALTER TABLE window_snapshots ALTER COLUMN content SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE window_batches ALTER COLUMN content SET STORAGE EXTERNAL")
    insert_new("rules")


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_table(table)
