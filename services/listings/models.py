"""Tables listings owns."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import new_metadata
from shared.rule_rows import RuleRow

metadata = new_metadata()


class Base(DeclarativeBase):
    """Tables of this service."""

    metadata = metadata


class Transaction(Base):
    """A transaction: `documents` (msgpack) is the truth, the other columns are read from it."""

    __tablename__ = "transactions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    order_ref: Mapped[str] = mapped_column(Text)
    documents: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int]
    match: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    currency: Mapped[str] = mapped_column(Text)
    due_minor: Mapped[int] = mapped_column(BigInteger)
    paid_minor: Mapped[int] = mapped_column(BigInteger)
    has_order: Mapped[bool]
    lines: Mapped[int] = mapped_column(SmallInteger)
    payments: Mapped[int] = mapped_column(SmallInteger)
    shipments: Mapped[int] = mapped_column(SmallInteger)
    deliveries: Mapped[int] = mapped_column(SmallInteger)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Listing(Base):
    """The newest version of an offer; earlier ones are in `listing_versions`."""

    __tablename__ = "listings"
    __table_args__ = (Index("ix_listings_account_id", "account_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    listing_ref: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID]
    version: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class HeldListing(Base):
    """An offer that is not to be shown, and why."""

    __tablename__ = "held_listings"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    listing_ref: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ListingVersion(Base):
    """What an offer said, kept for good."""

    __tablename__ = "listing_versions"

    listing_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Review(Base):
    """A review with its order. A platform's review_ref may stand on several orders."""

    __tablename__ = "reviews"
    __table_args__ = (Index("ix_reviews_transaction_id", "transaction_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    transaction_id: Mapped[UUID]
    review_ref: Mapped[str] = mapped_column(Text)
    order_ref: Mapped[str] = mapped_column(Text)
    listing_ref: Mapped[str | None] = mapped_column(Text)
    buyer_ref: Mapped[str | None] = mapped_column(Text)
    rating: Mapped[int] = mapped_column(SmallInteger)
    title: Mapped[str | None] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    posted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    removed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ReviewRemoval(Base):
    """That a platform took a review down, which it may say before its review is known."""

    __tablename__ = "review_removals"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    removed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RuleValue(Base, RuleRow):
    """A number that is law or policy, with its source and the dates it holds between."""

    __tablename__ = "rule_values"
