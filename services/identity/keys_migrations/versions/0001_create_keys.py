"""Create the table of keys."""

from alembic import op

from services.identity import key_store

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    key_store.metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Undo."""
    key_store.metadata.drop_all(op.get_bind())
