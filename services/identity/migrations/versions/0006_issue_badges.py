"""Issue badges, and know where shops are."""

from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.badge_tables import TABLES
from shared.rls import protect_by_platform
from shared.seeds import insert_new

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "rule_values.csv"
# What registration files of before say; addresses come with the next version of each.
_NUMBERS = "CREATE INDEX IF NOT EXISTS ix_operators_number ON operators (number) WHERE number IS NOT NULL"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [table.__table__ for table in TABLES])
    for table in ("badges", "shop_addresses"):
        protect_by_platform(table)
    op.execute(_NUMBERS)
    insert_new(models.metadata.tables["rule_values"], _SEED, ("name", "jurisdiction", "valid_from"))


def downgrade() -> None:
    """Undo."""
    op.execute("DROP INDEX ix_operators_number")
    for table in TABLES:
        op.execute(f"DROP TABLE IF EXISTS {table.__tablename__}")
