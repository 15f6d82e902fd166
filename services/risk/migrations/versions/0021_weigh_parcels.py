"""Keep what parcels weigh and in which categories offers are."""

from alembic import op

from services.risk import models
from services.risk.seeds import insert_new
from services.risk.weight_tables import Offer, ParcelWeights
from shared.rls import protect_by_platform

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLES = (Offer, ParcelWeights)


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[models.metadata.tables[one.__tablename__] for one in _TABLES])
    protect_by_platform(Offer.__tablename__)
    op.execute("ALTER TABLE parcel_weights ALTER COLUMN content SET STORAGE EXTERNAL")
    insert_new("rules")


def downgrade() -> None:
    """Undo; rules are the analysts'."""
    for table in _TABLES:
        op.drop_table(table.__tablename__)
