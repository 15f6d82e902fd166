"""Rules have states, saved tests and people behind them; alerts take verdicts; features are kept to try rules on."""

from alembic import op

from services.risk import models

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("rule_days", "feature_batches")
_RULES = {
    "state": "text NOT NULL DEFAULT 'approved'",
    "tests": "jsonb NOT NULL DEFAULT '[]'",
    "backtest": "jsonb",
    "author": "text NOT NULL DEFAULT 'seed'",
    "approved_by": "text",
    "suspended_because": "text",
    "saved_at": "timestamptz NOT NULL DEFAULT now()",
}
_ALERTS = {"verdict": "text", "judged_by": "text", "judged_at": "timestamptz", "note": "text"}


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has the columns from its first migration, which knows the newest form of its tables.
    for table, columns in (("rules", _RULES), ("alerts", _ALERTS)):
        for name, kind in columns.items():
            op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {kind}")
    op.execute("ALTER TABLE rules ALTER COLUMN valid_from DROP NOT NULL")
    models.metadata.create_all(op.get_bind(), tables=[models.metadata.tables[name] for name in _TABLES])
    for column in ("subjects", "content"):
        op.execute(f"ALTER TABLE feature_batches ALTER COLUMN {column} SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Undo."""
    op.execute("DELETE FROM rules WHERE valid_from IS NULL")
    for table, columns in (("rules", _RULES), ("alerts", _ALERTS)):
        for name in columns:
            op.drop_column(table, name)
    op.alter_column("rules", "valid_from", nullable=False)
    for table in _TABLES:
        op.drop_table(table)
