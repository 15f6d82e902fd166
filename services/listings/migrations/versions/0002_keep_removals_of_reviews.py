"""Keep removals of reviews, which may come before their reviews do."""

from alembic import op

from services.listings import models
from shared.rls import protect_by_platform

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has the table from its first migration, which knows the newest form of its tables.
    models.metadata.create_all(op.get_bind(), tables=[models.ReviewRemoval.__table__])
    protect_by_platform("review_removals")


def downgrade() -> None:
    """Undo."""
    op.drop_table("review_removals")
