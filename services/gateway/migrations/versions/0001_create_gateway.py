"""Create the tables of the gateway."""

from alembic import op

from services.gateway import models
from shared.migrations import create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    create_messaging_tables()
    models.metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Undo."""
    models.metadata.drop_all(op.get_bind())
    drop_messaging_tables()
