"""Index the lines that wait for something, instead of all."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # 0001 creates what the models say today, so the index may be there.
    op.execute("CREATE INDEX IF NOT EXISTS ix_lines_waiting ON lines (endpoint_id, due_at) WHERE head_seq <= last_seq")
    op.execute("DROP INDEX IF EXISTS ix_lines_endpoint_id_due_at")


def downgrade() -> None:
    """Undo."""
    op.execute("CREATE INDEX IF NOT EXISTS ix_lines_endpoint_id_due_at ON lines (endpoint_id, due_at)")
    op.execute("DROP INDEX IF EXISTS ix_lines_waiting")
