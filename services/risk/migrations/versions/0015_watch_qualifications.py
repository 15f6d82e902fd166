"""Watch for operators without the qualifications of their trades, and for lapsed ones."""

from services.risk.seeds import insert_new

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    insert_new("rules")


def downgrade() -> None:
    """Undo nothing: rules are the analysts'."""
