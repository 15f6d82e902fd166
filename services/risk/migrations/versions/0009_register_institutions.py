"""Keep a registry of payment institutions with every change, what offers claim, and what is complained of."""

from alembic import op

from services.risk import models, propaganda_tables
from services.risk.institution_tables import NAMES_INSTITUTION
from services.risk.seeds import insert_new
from shared.rls import protect_by_platform

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# No platform's rows: whoever may read risk's answers may know who is certified.
_TABLES = ("institutions", "institution_certifications", "institution_channels", "institution_changes")
# Rows of platforms.
_OF_PLATFORMS = ("claims", "grievances")


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    metadata = propaganda_tables.Claim.metadata
    tables = [metadata.tables[name] for name in (*_TABLES, *_OF_PLATFORMS)]
    models.metadata.create_all(op.get_bind(), tables=tables)
    # A new database has it from its first migration, which knows the newest form of its tables.
    where = f"USING gin (evidence) WHERE {NAMES_INSTITUTION}"
    op.execute(f"CREATE INDEX IF NOT EXISTS ix_alerts_institution ON alerts {where}")
    for table in _OF_PLATFORMS:
        protect_by_platform(table)
    insert_new("rules")


def downgrade() -> None:
    """Undo."""
    op.execute("DROP INDEX ix_alerts_institution")
    for table in (*_OF_PLATFORMS, *reversed(_TABLES)):
        op.drop_table(table)
