"""Create the tables of credit, with the first index."""

import json
from pathlib import Path

from alembic import op

from services.credit import models
from shared.migrations import create_messaging_tables, drop_messaging_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "index_tree.json"


def upgrade() -> None:
    """Apply."""
    create_messaging_tables()
    models.metadata.create_all(op.get_bind())
    tree = json.loads(_SEED.read_text(encoding="utf-8"))
    row = {name: tree.pop(name) for name in ("version", "valid_from", "source")}
    op.bulk_insert(models.IndexTree.__table__, [{**row, "tree": tree}])


def downgrade() -> None:
    """Undo."""
    models.metadata.drop_all(op.get_bind())
    drop_messaging_tables()
