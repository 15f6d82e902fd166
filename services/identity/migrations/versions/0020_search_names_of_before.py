"""Find operators by names they had, and as of any instant."""

from alembic import op

from services.identity import models
from services.identity.search_filling import record_before
from services.identity.search_tables import TABLES_BEFORE
from shared.rls import protect_by_platform

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_UNCOUNT = """
    UPDATE name_piece_counts c SET accounts = c.accounts - b.names
    FROM (SELECT p, count(*) AS names FROM name_pieces_before, unnest(pieces) AS p GROUP BY p) AS b WHERE b.p = c.piece
"""


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE searched_accounts ADD COLUMN IF NOT EXISTS held_from timestamptz")
    models.metadata.create_all(op.get_bind(), [table.__table__ for table in TABLES_BEFORE])
    protect_by_platform("searched_before")
    op.execute("SELECT set_config('crosswatch.platform', '*', true)")
    record_before(op.get_bind())
    op.execute("ALTER TABLE searched_accounts ALTER COLUMN held_from SET NOT NULL")


def downgrade() -> None:
    """Undo."""
    op.execute(_UNCOUNT)
    for table in TABLES_BEFORE:
        op.drop_table(table.__tablename__)
    op.drop_column("searched_accounts", "held_from")
