"""Table of offers whose category needs a qualification, and whether their operators have it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class Offer(Base):
    """The newest version of an offer, if it or an earlier one was of a category that needs something."""

    __tablename__ = "offers"
    __table_args__ = (Index("ix_offers_account_id", "account_id"),)

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    listing_ref: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    category: Mapped[str | None] = mapped_column(Text)
    is_published: Mapped[bool]
    stated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    # Why it was refused, as last told; nothing where it was not.
    refused_for: Mapped[list[str]] = mapped_column(ARRAY(Text))
