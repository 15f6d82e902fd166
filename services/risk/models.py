"""Tables risk owns."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, DateTime, Index, LargeBinary, SmallInteger, Text, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import new_metadata

metadata = new_metadata()


class Base(DeclarativeBase):
    """Tables of this service."""

    metadata = metadata


class Rule(Base):
    """A rule as it holds between two dates: an SQL expression over the features of its stream."""

    __tablename__ = "rules"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    expression: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    points: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)


class Assessment(Base):
    """The newest score of one operator's part in a transaction, with the rules it hit."""

    __tablename__ = "assessments"

    transaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    order_ref: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None]
    revision: Mapped[int]
    score: Mapped[float]
    hits: Mapped[list[str]] = mapped_column(ARRAY(Text))
    assessed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Alert(Base):
    """A rule hit for a subject in a window; the id depends on nothing else, so a repeat changes nothing."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_account_id", "account_id"),
        Index("ix_alerts_raised_at_id", "raised_at", "id"),
        Index("ix_alerts_transaction_id", "transaction_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None]
    transaction_id: Mapped[UUID | None]
    order_ref: Mapped[str | None] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)
    rule_version: Mapped[int]
    severity: Mapped[str] = mapped_column(Text)
    score: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    contributions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    window_start: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="open")
    raised_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class DayFeatures(Base):
    """What an operator did on one day, bounded: a `days.Day` as msgpack."""

    __tablename__ = "day_features"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    version: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Operator(Base):
    """What identity last said of an account."""

    __tablename__ = "operators"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    operator_ref: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    verdict: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    version: Mapped[int]
