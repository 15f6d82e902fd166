"""Hold what is declared against what was paid."""

from alembic import op

from services.risk.seeds import insert_new

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has them: an earlier migration made the table as it is now.
    op.execute("ALTER TABLE declarations ADD COLUMN IF NOT EXISTS transaction_id uuid")
    op.execute("ALTER TABLE declarations ADD COLUMN IF NOT EXISTS is_compared boolean NOT NULL DEFAULT true")
    op.execute(
        "CREATE INDEX IF NOT EXISTS ix_declarations_uncompared ON declarations (recorded_at) WHERE NOT is_compared"
    )
    insert_new("rules")
    insert_new("rule_values")


def downgrade() -> None:
    """Undo."""
    op.execute("DROP INDEX ix_declarations_uncompared")
    op.drop_column("declarations", "is_compared")
    op.drop_column("declarations", "transaction_id")
