"""Keep what files say in a form by which changes can be told."""

from alembic import op

from services.identity import models
from services.identity.change_tables import FileDigest

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [FileDigest.__table__])


def downgrade() -> None:
    """Undo."""
    op.drop_table(FileDigest.__tablename__)
