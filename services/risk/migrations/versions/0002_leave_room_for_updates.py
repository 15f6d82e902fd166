"""Leave room on the pages of rows that are written again, so that their index entries stay as they are."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROOM = {"assessments": 60, "day_features": 50}


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    for table, percent in _ROOM.items():
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")


def downgrade() -> None:
    """Undo."""
    for table in _ROOM:
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
