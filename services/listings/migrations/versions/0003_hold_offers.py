"""Hold offers whose operators lack a qualification."""

from alembic import op

from services.listings import models
from shared.rls import protect_by_platform

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[models.HeldListing.__table__])
    protect_by_platform("held_listings")


def downgrade() -> None:
    """Undo."""
    op.drop_table("held_listings")
