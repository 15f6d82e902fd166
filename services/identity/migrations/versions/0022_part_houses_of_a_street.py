"""Let addresses meet in bands only where their numbers are the same: houses of one street are not alike."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# A band has kind 9 in its lowest four bits; the numbers go into the others, and the second time out of them.
_BAND = "(v & 15 = 9)"
_TURNED = f"CASE WHEN {_BAND} THEN ((v # s.address_numbers) & ~15::bigint) | 9 ELSE v END"
_HELD = """(
    SELECT ('x' || encode(substring(s.held FROM 8 * n + 1 FOR 8), 'hex'))::bit(64)::bigint AS v
    FROM generate_series(0, length(s.held) / 8 - 1) AS n
)"""
_STATEMENTS = (
    "DELETE FROM value_holders WHERE value & 15 = 9",
    f"""UPDATE link_sketches s SET held = (
            SELECT string_agg(int8send(turned), '' ORDER BY turned)
            FROM (SELECT DISTINCT {_TURNED} AS turned FROM {_HELD} AS one) AS all_of_it)
        WHERE s.address_numbers <> 0""",  # noqa: S608 - our own names
    f"""INSERT INTO value_holders (value, operator_id)
        SELECT DISTINCT v, s.operator_id FROM link_sketches s CROSS JOIN LATERAL {_HELD} AS one
        WHERE {_BAND} ORDER BY v""",  # noqa: S608 - our own names
)


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    op.execute("SELECT set_config('crosswatch.platform', '*', true)")
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Undo: what was mixed in once is out the second time."""
    upgrade()
