"""Watch for declarations of firms that are not registered with customs."""

from alembic import op

from services.risk import models
from services.risk.registered_tables import CustomsStanding
from services.risk.seeds import insert_new

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    op.execute("CREATE INDEX IF NOT EXISTS ix_declarations_account_id ON declarations (account_id)")
    models.metadata.create_all(op.get_bind(), [CustomsStanding.__table__])
    insert_new("rules")


def downgrade() -> None:
    """Undo the table; rules are the analysts'."""
    op.drop_index("ix_declarations_account_id")
    op.drop_table(CustomsStanding.__tablename__)
