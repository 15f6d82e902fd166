"""Count contacts without consent."""

from alembic import op

from services.risk import models
from services.risk.person_tables import ContactViolation
from services.risk.seeds import insert_new
from shared.rls import protect_by_platform

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("SET lock_timeout = '5s'")
    models.metadata.create_all(op.get_bind(), tables=[models.metadata.tables[ContactViolation.__tablename__]])
    protect_by_platform(ContactViolation.__tablename__)
    insert_new("rules")


def downgrade() -> None:
    """Undo; rules are the analysts'."""
    op.drop_table(ContactViolation.__tablename__)
