"""Link accounts to operators as their files hold, where one came late."""

from alembic import op
from sqlalchemy import text

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_FILES = ["platform.operator.registered.v1", "platform.operator.changed.v1"]
# Of an account whose files came in the order of their days the links are right already.
_DROP = text("""
    DELETE FROM account_links l USING (
        SELECT account_id, stated_at < max(stated_at) OVER (PARTITION BY account_id ORDER BY version) AS came_late
        FROM registration_files WHERE event_type = ANY (:files)
    ) AS f WHERE f.account_id = l.account_id AND f.came_late
""")
# A file holds where none that came after it is of its day or of an earlier one.
_LINK = text("""
    WITH holding AS (
        SELECT f.*, max(f.version) OVER (PARTITION BY f.account_id ORDER BY f.stated_at) AS newest
        FROM registration_files f
        WHERE f.event_type = ANY (:files) AND NOT EXISTS (SELECT FROM account_links l WHERE l.account_id = f.account_id)
    ), begun AS (
        SELECT *, lag(operator_id) OVER (PARTITION BY account_id ORDER BY stated_at) AS before
        FROM holding WHERE version = newest
    )
    INSERT INTO account_links (account_id, linked_from, linked_to, operator_id, platform_id)
    SELECT account_id, stated_at, lead(stated_at) OVER (PARTITION BY account_id ORDER BY stated_at), operator_id,
        platform_id
    FROM begun WHERE before IS DISTINCT FROM operator_id
""")


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    op.execute("SELECT set_config('crosswatch.platform', '*', true)")
    op.get_bind().execute(_DROP, {"files": _FILES})
    op.get_bind().execute(_LINK, {"files": _FILES})


def downgrade() -> None:
    """Leave what is right: nothing else changed."""
