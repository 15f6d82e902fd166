"""Tables of electronic identification: badges, the keys that sign them, and where shops are."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class IssuedBadge(Base):
    """A badge that was issued; a revoked one stays, with the moment and the reason."""

    __tablename__ = "badges"
    __table_args__ = (
        Index("ix_badges_account_id", "account_id"),
        Index("ix_badges_revoked_at", "revoked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[UUID]
    account_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    token: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    issued_to: Mapped[str] = mapped_column(Text)
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_because: Mapped[str | None] = mapped_column(Text)


class BadgeKey(Base):
    """A key pair that signs badges: the newest signs, all verify. The private half is wrapped by the master key."""

    __tablename__ = "badge_keys"

    kid: Mapped[str] = mapped_column(Text, primary_key=True)
    public: Mapped[dict[str, Any]] = mapped_column(JSONB)
    master: Mapped[str] = mapped_column(Text)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ShopAddress(Base):
    """Where an account has a shop, by its newest file."""

    __tablename__ = "shop_addresses"
    __table_args__ = (
        Index("ix_shop_addresses_address", "address"),
        Index("ix_shop_addresses_operator_id", "operator_id"),
    )

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(Text, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)


class BadgeDay(Base):
    """How often badges of one worth were looked at on a day (UTC)."""

    __tablename__ = "badge_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    status: Mapped[str] = mapped_column(Text, primary_key=True)
    checks: Mapped[int] = mapped_column(BigInteger)


TABLES = (IssuedBadge, BadgeKey, ShopAddress, BadgeDay)
