"""Keep by which version of its account a link is: of those from before any later one goes first."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE account_links ADD COLUMN IF NOT EXISTS version int NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Undo."""
    op.drop_column("account_links", "version")
