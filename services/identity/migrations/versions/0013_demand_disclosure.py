"""Let consumers demand of platforms who a seller is."""

from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.disclosure_request_tables import DisclosureRequest
from shared.rls import protect_by_platform
from shared.seeds import insert_new

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SERVICE = Path(__file__).parents[2]


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [DisclosureRequest.__table__])
    protect_by_platform(DisclosureRequest.__tablename__)
    tables = models.metadata.tables
    insert_new(tables["rule_values"], _SERVICE / "rule_values.csv", ("name", "jurisdiction", "valid_from"))
    insert_new(tables["purposes"], _SERVICE / "purposes.csv", ("code", "valid_from"), lists=("roles",))


def downgrade() -> None:
    """Undo."""
    op.drop_table(DisclosureRequest.__tablename__)
