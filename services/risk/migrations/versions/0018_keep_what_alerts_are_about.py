"""Keep what alerts are about as the feature log has it."""

from alembic import op
from sqlalchemy import Connection, text

from services.risk.activity import about
from services.risk.windows import key_of

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_MOST = 10_000
# Of the first piece of evidence: what kind of key, and its reference.
_OF_KEYS = text("""
    SELECT id, platform_id, split_part(evidence[1], ':', 1) AS kind,
        substr(evidence[1], strpos(evidence[1], ':') + 1) AS ref
    FROM alerts WHERE subject IS NULL AND evidence[1] LIKE '%:%'
        AND rule IN (SELECT code FROM rules WHERE stream = 'activity') LIMIT :most
""")
_OF_KEY = text("UPDATE alerts SET subject = :subject WHERE id = :id")
_OF_DECLARATIONS = text("""
    UPDATE alerts a SET subject = d.id FROM declarations d
    WHERE a.subject IS NULL AND a.rule IN (SELECT code FROM rules WHERE stream IN ('declared', 'lodged'))
        AND d.platform_id = a.platform_id AND a.evidence[1] = 'declaration:' || d.declaration_ref
""")
# Which transaction of a day an alert of it came with was not kept: such a one meets no row, as before.
_OF_OTHERS = text("UPDATE alerts SET subject = coalesce(transaction_id, account_id) WHERE subject IS NULL")


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has them: an earlier migration made the table as it is now.
    op.execute("ALTER TABLE alerts ADD COLUMN IF NOT EXISTS subject uuid")
    fill_in(op.get_bind())
    op.execute("CREATE INDEX IF NOT EXISTS ix_alerts_subject ON alerts (subject)")


def fill_in(connection: Connection) -> None:
    """Say of each alert that was raised before what it is about."""
    while rows := connection.execute(_OF_KEYS, {"most": _MOST}).all():
        found = [{"id": one.id, "subject": about(key_of(one.kind, one.platform_id, one.ref))} for one in rows]
        connection.execute(_OF_KEY, found)
    connection.execute(_OF_DECLARATIONS)
    connection.execute(_OF_OTHERS)


def downgrade() -> None:
    """Undo."""
    op.execute("DROP INDEX ix_alerts_subject")
    op.drop_column("alerts", "subject")
