"""Tables credit owns."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import new_metadata

metadata = new_metadata()


class Base(DeclarativeBase):
    """Tables of this service."""

    metadata = metadata


class Fact(Base):
    """What an event said of an account. A later revision about the same subject supersedes an earlier one.

    `kind` is null where the subject stopped counting: a withdrawn alert, for one.
    """

    __tablename__ = "facts"
    __table_args__ = (Index("ix_facts_account_id_occurred_at", "account_id", "occurred_at"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    family: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None] = mapped_column(Text)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(Text)
    event_id: Mapped[str] = mapped_column(Text)
    event_type: Mapped[str] = mapped_column(Text)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Tally(Base):
    """Facts of one kind that count now: how many, and the sum of 2^(days since the epoch / half-life).

    The sum adds up in any order, and decays by one multiplication to any later date.
    """

    __tablename__ = "tallies"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    tree_version: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)
    weighted: Mapped[float]


class AccountLink(Base):
    """Which operator an account belonged to, between two dates, by which version of the account."""

    __tablename__ = "account_links"
    __table_args__ = (Index("ix_account_links_operator_id", "operator_id"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    linked_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    linked_to: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="0")
    operator_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    operator_ref: Mapped[str] = mapped_column(Text)


class Profile(Base):
    """The score and the level an operator has now."""

    __tablename__ = "profiles"

    operator_id: Mapped[UUID] = mapped_column(primary_key=True)
    score: Mapped[float]
    level: Mapped[str] = mapped_column(Text)
    tree_version: Mapped[int]
    evaluated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class IndexTree(Base):
    """A version of the evaluation index, with its source and the date it holds from."""

    __tablename__ = "index_trees"

    version: Mapped[int] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date)
    tree: Mapped[dict[str, Any]] = mapped_column(JSONB)
    source: Mapped[str] = mapped_column(Text)
