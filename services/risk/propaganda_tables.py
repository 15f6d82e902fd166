"""Tables of what is claimed in offers and what is complained of."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class Claim(Base):
    """A forbidden claim of an offer: since when it stands, and since when it does not any more."""

    __tablename__ = "claims"
    __table_args__ = (Index("ix_claims_ended_at", "ended_at"),)

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Text, primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID]
    listing_ref: Mapped[str] = mapped_column(Text)
    # The newest version of the offer that makes it.
    version: Mapped[int]
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Grievance(Base):
    """A complaint about an operator, as disputes publishes it; how it ended once that is known."""

    __tablename__ = "grievances"
    __table_args__ = (Index("ix_grievances_filed_at", "filed_at"),)

    complaint_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID]
    order_ref: Mapped[str | None] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    filed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    outcome: Mapped[str | None] = mapped_column(Text)
