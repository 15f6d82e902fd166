"""Share files with departments."""

from pathlib import Path

from alembic import op

from services.identity import models
from services.identity.sharing_tables import TABLES, ProjectionField
from shared.seeds import insert_new

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_SEED = Path(__file__).parents[2] / "projection_fields.csv"


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [table.__table__ for table in TABLES])
    insert_new(ProjectionField.__table__, _SEED, ("department", "field", "valid_from"))


def downgrade() -> None:
    """Undo."""
    for table in TABLES:
        op.drop_table(table.__tablename__)
