"""Keep extracts of public registers, and how near a name is to a registered one."""

from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.registry_tables import RegistryEntry, RegistryExtract, RegistryRow
from shared.seeds import insert_new

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "rule_values.csv"
_TABLES = [models.metadata.tables[kind.__tablename__] for kind in (RegistryExtract, RegistryEntry, RegistryRow)]


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=_TABLES)
    # What is newest of all accounts is asked for every second.
    op.execute("CREATE INDEX IF NOT EXISTS ix_accounts_updated_at ON accounts (updated_at)")
    insert_new(models.metadata.tables["rule_values"], _SEED, ("name", "jurisdiction", "valid_from"))


def downgrade() -> None:
    """Undo."""
    op.execute("DROP INDEX IF EXISTS ix_accounts_updated_at")
    for table in reversed(_TABLES):
        op.drop_table(table.name)
