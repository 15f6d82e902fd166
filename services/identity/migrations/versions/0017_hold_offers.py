"""Hold offers against the qualifications of their operators."""

from alembic import op

from services.identity import models
from services.identity.offer_tables import Offer
from shared.rls import protect_by_platform

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), [Offer.__table__])
    protect_by_platform(Offer.__tablename__)


def downgrade() -> None:
    """Undo."""
    op.drop_table(Offer.__tablename__)
