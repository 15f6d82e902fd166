"""Watch for operators that come back after a ban."""

from services.risk.seeds import insert_new

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    insert_new("rules")


def downgrade() -> None:
    """Undo nothing: rules are the analysts'."""
