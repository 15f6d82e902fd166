"""Tables of what parcels weigh and in which categories offers are."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base, Batch


class ParcelWeights(Batch, Base):
    """Parcels of single offers: which offer, whose, in which order, and grams for one piece."""

    __tablename__ = "parcel_weights"


class Offer(Base):
    """An offer and its category, as the newest version of it that was told says."""

    __tablename__ = "offers"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    category: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int]
    told_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
