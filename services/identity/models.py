"""Tables identity owns."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import new_metadata
from shared.events.identity import Verdict
from shared.rule_rows import RecordedRuleRow

metadata = new_metadata()


class Base(DeclarativeBase):
    """Tables of this service."""

    metadata = metadata


class Operator(Base):
    """A legal entity: one number of one register, or a single account while no number is known."""

    __tablename__ = "operators"
    __table_args__ = (Index("ix_operators_number", "number", postgresql_where=text("number IS NOT NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(Text)
    scheme: Mapped[str | None] = mapped_column(Text)
    number: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Account(Base):
    """A merchant's account on a platform, with the newest version of its file and what checking it found."""

    __tablename__ = "accounts"
    __table_args__ = (Index("ix_accounts_operator_id", "operator_id"), Index("ix_accounts_updated_at", "updated_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    operator_ref: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    version: Mapped[int]
    state: Mapped[str] = mapped_column(Text)
    verdict: Mapped[Verdict] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RegistrationFile(Base):
    """Every version of a registration file, as it was sent, and what checking it found on that day."""

    __tablename__ = "registration_files"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    event_id: Mapped[str] = mapped_column(Text)
    event_type: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text)
    verdict: Mapped[Verdict] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    stated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


# Joins accounts with the newest versions of their files.
NEWEST_FILE = (RegistrationFile.account_id == Account.id) & (RegistrationFile.version == Account.version)


class AccountLink(Base):
    """Which operator an account belonged to, between two dates."""

    __tablename__ = "account_links"
    __table_args__ = (Index("ix_account_links_operator_id", "operator_id"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    linked_from: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    linked_to: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    operator_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)


class RuleValue(Base, RecordedRuleRow):
    """A number that is law or policy: its source, the dates it holds between, and who recorded it."""

    __tablename__ = "rule_values"
