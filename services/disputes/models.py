"""Tables disputes owns."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Index, LargeBinary, Text, UniqueConstraint, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import new_metadata
from shared.events.disputes import Category

metadata = new_metadata()


class Base(DeclarativeBase):
    """Tables of this service."""

    metadata = metadata


class Complaint(Base):
    """A consumer's complaint about an operator's account."""

    __tablename__ = "complaints"
    __table_args__ = (
        UniqueConstraint("consumer_ref", "idempotency_key"),
        Index("ix_complaints_account_id", "account_id"),
        Index("ix_complaints_filed_at_id", "filed_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID]
    operator_ref: Mapped[str] = mapped_column(Text)
    order_ref: Mapped[str | None] = mapped_column(Text)
    consumer_ref: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str] = mapped_column(Text)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    category: Mapped[Category] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    desired_outcome: Mapped[str] = mapped_column(Text)
    claimed_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default="filed")
    outcome: Mapped[str | None] = mapped_column(Text)
    filed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    resolved_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Liability(Base):
    """A platform that is to pay in a seller's place, and by which article."""

    __tablename__ = "liabilities"
    __table_args__ = (Index("ix_liabilities_since_id", "since", "id"),)

    # Of the request that was not answered.
    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID]
    operator_ref: Mapped[str] = mapped_column(Text)
    order_ref: Mapped[str | None] = mapped_column(Text)
    consumer_ref: Mapped[str] = mapped_column(Text)
    ground: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Step(Base):
    """One thing that happened to a complaint; nothing here is changed or removed."""

    __tablename__ = "complaint_steps"
    __table_args__ = (Index("ix_complaint_steps_complaint_id", "complaint_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    complaint_id: Mapped[UUID]
    what: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
