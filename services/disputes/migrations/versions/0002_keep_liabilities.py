"""Keep platforms' liabilities."""

from alembic import op

from services.disputes import models
from shared.rls import protect_by_platform

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [models.Liability.__table__])
    protect_by_platform("liabilities")


def downgrade() -> None:
    """Undo."""
    op.drop_table("liabilities")
