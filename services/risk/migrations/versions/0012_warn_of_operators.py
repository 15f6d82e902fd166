"""Keep what forecasts of single operators are made of, warnings, and numbers that platforms give what they send."""

from alembic import op

from services.risk import models
from services.risk.foresight_tables import Warned
from services.risk.numbering_tables import SentNumbers
from services.risk.seeds import insert_new

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("forecast_inputs", "warnings", SentNumbers.__tablename__)


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[Warned.metadata.tables[name] for name in _TABLES])
    # A new database has it: an earlier migration made the table as it is now.
    op.execute("ALTER TABLE standings ADD COLUMN IF NOT EXISTS forecast_by text NOT NULL DEFAULT 'class'")
    insert_new("rules")
    insert_new("rule_values")


def downgrade() -> None:
    """Undo."""
    for table in _TABLES:
        op.drop_table(table)
    op.drop_column("standings", "forecast_by")
