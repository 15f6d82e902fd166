"""Say who recorded a rule's value and which way is stricter, and keep clocks."""

from pathlib import Path

from alembic import op

from services.identity import models
from shared import clock_store
from shared.rls import protect_by_platform
from shared.seeds import insert_new

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "rule_values.csv"
_KEYS = ("name", "jurisdiction", "valid_from")
_RECORDED = (
    "revision integer NOT NULL DEFAULT 1",
    "stricter text",
    "before double precision",
    "because text NOT NULL DEFAULT 'seed'",
    "recorded_by text NOT NULL DEFAULT 'seed'",
    "recorded_at timestamptz NOT NULL DEFAULT now()",
)


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    # A new database has them: the first migration made the table as it is now.
    for column in _RECORDED:
        op.execute(f"ALTER TABLE rule_values ADD COLUMN IF NOT EXISTS {column}")
    op.drop_constraint("pk_rule_values", "rule_values", type_="primary")
    op.create_primary_key("pk_rule_values", "rule_values", [*_KEYS, "revision"])
    op.execute("UPDATE rule_values SET stricter = 'higher' WHERE name = 'licence.required'")
    insert_new(models.metadata.tables["rule_values"], _SEED, _KEYS)
    clock_store.metadata.create_all(op.get_bind())
    protect_by_platform("clocks")


def downgrade() -> None:
    """Undo."""
    clock_store.metadata.drop_all(op.get_bind())
    op.execute("DELETE FROM rule_values WHERE revision > 1")
    op.drop_constraint("pk_rule_values", "rule_values", type_="primary")
    op.create_primary_key("pk_rule_values", "rule_values", list(_KEYS))
    for column in _RECORDED:
        op.drop_column("rule_values", column.split()[0])
