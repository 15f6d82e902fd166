"""Tables of what platforms stated: chains of revisions, months counted from them, and totals that platforms give."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, LargeBinary, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class ChainLink(Base):
    """What one platform stated in one micro-batch; in its chain once it has a place in it and a hash."""

    __tablename__ = "chain_links"
    __table_args__ = (
        Index("ix_chain_links_unchained", "id", postgresql_where=text("sequence IS NULL")),
        Index("uq_chain_links_platform_id_sequence", "platform_id", "sequence", unique=True),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    entries: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    # What it adds to months: `[month, currency, orders, amount_minor]`, and with an account to those of the account.
    months: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    # Orders that were flagged after they had come: `[account_id, flag, orders]`.
    flips: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    stated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Chain(Base):
    """The head of a platform's chain."""

    __tablename__ = "chains"

    platform_id: Mapped[str] = mapped_column(Text, primary_key=True)
    length: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    entries: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    extended_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


# Stands for the account where a month is the platform's as a whole.
WHOLE = UUID(int=0)
_WHOLE = text(f"'{WHOLE}'")


class PlatformMonth(Base):
    """Orders of a platform, or of one account on it, placed in a month (UTC) and their amount, as links add up."""

    __tablename__ = "platform_months"

    platform_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_WHOLE)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    orders: Mapped[int] = mapped_column(BigInteger)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    # It grows with each change.
    version: Mapped[int] = mapped_column(BigInteger)


class FlagDay(Base):
    """How many orders of an operator were cancelled, or came back, by what was stated on a day."""

    __tablename__ = "flag_days"
    __table_args__ = (Index("ix_flag_days_day", "day"),)

    platform_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    flag: Mapped[str] = mapped_column(Text, primary_key=True)
    flips: Mapped[int] = mapped_column(BigInteger)


class StatedTotals(Base):
    """What a platform last said its orders, or an account's, come to in a month; what that was last compared with."""

    __tablename__ = "stated_totals"

    platform_id: Mapped[str] = mapped_column(Text, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True, server_default=_WHOLE)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    currency: Mapped[str] = mapped_column(Text, primary_key=True)
    orders: Mapped[int] = mapped_column(BigInteger)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    order_refs: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    stated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    compared_version: Mapped[int | None] = mapped_column(BigInteger)
