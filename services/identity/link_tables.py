"""Tables of hidden links: blind values and what follows from them, never a value in clear."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class Sketched(Base):
    """What is compared of an account: the values it holds, when it opened and was banned, and its name and address.

    Values and pieces are int64 numbers in order, most significant byte first.
    """

    __tablename__ = "link_sketches"
    __table_args__ = (Index("ix_link_sketches_operator_id", "operator_id"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    operator_ref: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    opened_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    stated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    banned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    held: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[int | None] = mapped_column(BigInteger)
    name_pieces: Mapped[bytes] = mapped_column(LargeBinary)
    address: Mapped[int | None] = mapped_column(BigInteger)
    address_numbers: Mapped[int] = mapped_column(BigInteger)
    address_pieces: Mapped[bytes] = mapped_column(LargeBinary)


class ValueHolder(Base):
    """An operator that holds a value by some account of its own."""

    __tablename__ = "value_holders"

    value: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    operator_id: Mapped[UUID] = mapped_column(primary_key=True)


class OperatorLink(Base):
    """Two legal entities that agree on enough to be linked; the lower id first."""

    __tablename__ = "operator_links"
    __table_args__ = (Index("ix_operator_links_other_operator_id", "other_operator_id"),)

    operator_id: Mapped[UUID] = mapped_column(primary_key=True)
    other_operator_id: Mapped[UUID] = mapped_column(primary_key=True)
    score: Mapped[float]
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ReturnedAccount(Base):
    """An account that is linked to a banned one, and whether it was opened after the ban."""

    __tablename__ = "returned_accounts"
    __table_args__ = (Index("ix_returned_accounts_operator_id", "operator_id"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    banned_account_id: Mapped[UUID]
    banned_platform_id: Mapped[str] = mapped_column(Text)
    banned_operator_id: Mapped[UUID]
    banned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    came_back: Mapped[bool]
    score: Mapped[float]
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


TABLES = (Sketched, ValueHolder, OperatorLink, ReturnedAccount)
