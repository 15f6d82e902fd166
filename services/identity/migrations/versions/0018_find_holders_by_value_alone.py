"""Find who holds a value by the value alone: of another kind it is another one, so that the kind finds nothing more."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# A database that is new has no such table: the next version does without.
_INDEX = """
    DO $$ BEGIN IF to_regclass('blind_values') IS NOT NULL THEN
        DROP INDEX IF EXISTS ix_blind_values_held;
        CREATE INDEX ix_blind_values_held ON blind_values ({columns}) WHERE held_to IS NULL;
    END IF; END $$
"""


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    op.execute(_INDEX.format(columns="blind, operator_id"))


def downgrade() -> None:
    """Undo."""
    op.execute(_INDEX.format(columns="kind, blind, operator_id"))
