"""Table of what became of reviews."""

from services.risk.models import Base, Batch


class ReviewRemovalsBatch(Batch, Base):
    """Reviews that were removed."""

    __tablename__ = "review_removals"
