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
    insert_new(models.metadata.tables["rule_values"], _SEED, ("name", "jurisdiction", "valid_from"))


def downgrade() -> None:
    """Undo."""
    for table in reversed(_TABLES):
        op.drop_table(table.name)
