"""Find operators by names that need not be spelt as they are."""

from alembic import op

from services.identity import models
from services.identity.search_filling import record_all
from services.identity.search_tables import TABLES
from shared.rls import protect_by_platform

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [table.__table__ for table in TABLES])
    protect_by_platform("searched_accounts")
    op.execute("SELECT set_config('crosswatch.platform', '*', true)")
    record_all(op.get_bind())


def downgrade() -> None:
    """Undo."""
    for table in TABLES:
        op.drop_table(table.__tablename__)
