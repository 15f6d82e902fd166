"""Tables of hidden links: blind values and what follows from them, never a value in clear."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class Sketched(Base):
    """What is compared of an account beside its values: when it opened and was banned, and its name and address.

    Pieces are int64 numbers, little-endian, in order.
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
    name: Mapped[bytes | None] = mapped_column(LargeBinary)
    name_pieces: Mapped[bytes] = mapped_column(LargeBinary)
    address_kind: Mapped[int | None] = mapped_column(SmallInteger)
    address: Mapped[bytes | None] = mapped_column(LargeBinary)
    address_numbers: Mapped[bytes] = mapped_column(LargeBinary)
    address_pieces: Mapped[bytes] = mapped_column(LargeBinary)


class BlindValue(Base):
    """A value that an account's file holds from one version to another."""

    __tablename__ = "blind_values"
    # By operator, so that those who hold a value are counted without reading all of a chain's accounts.
    __table_args__ = (Index("ix_blind_values_held", "blind", "operator_id", postgresql_where=text("held_to IS NULL")),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    blind: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    held_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    held_to: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    operator_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)


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


TABLES = (Sketched, BlindValue, OperatorLink, ReturnedAccount)
