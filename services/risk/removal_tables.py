"""Table of what became of reviews."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class ReviewRemovalsBatch(Base):
    """Reviews that were removed, of one micro-batch as Arrow IPC, with their number and the span of their times."""

    __tablename__ = "review_removals"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    rows: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
