"""Count months of accounts beside those of platforms."""

from alembic import op

from services.risk.seeds import insert_new

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TABLES = ("platform_months", "stated_totals")


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    for table in _TABLES:
        whole = "uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'"
        op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS account_id {whole}")
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT pk_{table}")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY (platform_id, account_id, month, currency)"
        )
    insert_new("rules")


def downgrade() -> None:
    """Undo; months of accounts are gone, rules are the analysts'."""
    for table in _TABLES:
        op.execute(f"DELETE FROM {table} WHERE account_id <> '00000000-0000-0000-0000-000000000000'")  # noqa: S608
        op.execute(f"ALTER TABLE {table} DROP COLUMN account_id")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY (platform_id, month, currency)")
