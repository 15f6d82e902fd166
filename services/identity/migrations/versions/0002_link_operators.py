"""Keep blind values of registration files, and which operators are linked by them."""

from alembic import op

from services.identity import models
from services.identity.link_tables import TABLES
from shared.rls import protect_by_platform

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OF_PLATFORMS = ("link_sketches", "returned_accounts")


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[table.__table__ for table in TABLES])
    for table in _OF_PLATFORMS:
        protect_by_platform(table)
    # A link is of two operators, who may be on other platforms: no platform sees it.
    op.execute("ALTER TABLE operator_links ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE operator_links FORCE ROW LEVEL SECURITY")
    seen = "current_setting('crosswatch.platform', true) = '*'"
    op.execute(f"CREATE POLICY no_platform ON operator_links USING ({seen}) WITH CHECK ({seen})")


def downgrade() -> None:
    """Undo."""
    for table in TABLES:
        op.drop_table(table.__tablename__)
    op.execute("DELETE FROM rule_values WHERE name LIKE 'links.%'")
