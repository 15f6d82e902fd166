"""Watch how shops display their licences."""

from services.risk.seeds import insert_new

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    insert_new("rules")


def downgrade() -> None:
    """Undo nothing: rules are the analysts'."""
