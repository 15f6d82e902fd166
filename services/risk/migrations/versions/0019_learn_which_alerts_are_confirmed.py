"""Learn which alerts are confirmed."""

from alembic import op

from services.risk.seeds import insert_new

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_COLUMNS = {
    "known": "double precision[]",
    "chance_confirmed": "double precision",
    "chance_by": "text",
    "chance_contributions": "jsonb",
}
_INDEXES = {
    "ix_alerts_undescribed": "(raised_at, id) WHERE known IS NULL",
    "ix_alerts_judged": "(rule, judged_at) WHERE verdict IN ('confirmed', 'false_alarm')",
    "ix_alerts_worth": "(coalesce(chance_confirmed, -1), id) WHERE state = 'open' AND verdict IS NULL",
}


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has them: an earlier migration made the table as it is now.
    for name, kind in _COLUMNS.items():
        op.execute(f"ALTER TABLE alerts ADD COLUMN IF NOT EXISTS {name} {kind}")
    for name, what in _INDEXES.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON alerts {what}")
    insert_new("rule_values")


def downgrade() -> None:
    """Undo; values are the regulator's."""
    for name in _INDEXES:
        op.drop_index(name)
    for name in _COLUMNS:
        op.drop_column("alerts", name)
