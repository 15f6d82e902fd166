"""Tables of personal data breaches, and what was done about each."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class Breach(Base):
    """A leak of personal data at a platform, or here, as far as it is known."""

    __tablename__ = "breaches"
    __table_args__ = (Index("ix_breaches_found_at_id", "found_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    # Empty where it happened in this installation.
    platform_id: Mapped[str] = mapped_column(Text)
    incident_ref: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    data_kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    persons: Mapped[int] = mapped_column(BigInteger)
    jurisdictions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    accounts: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    reported_by: Mapped[str] = mapped_column(Text)
    reported_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class BreachDuty(Base):
    """Whom a breach is to be told to by when, in one jurisdiction, and whether that was done."""

    __tablename__ = "breach_duties"
    __table_args__ = (Index("ix_breach_duties_breach_id", "breach_id"),)

    # The id of its clock.
    id: Mapped[UUID] = mapped_column(primary_key=True)
    breach_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    what: Mapped[str] = mapped_column(Text)
    jurisdiction: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(Text)
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    overdue_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class BreachAct(Base):
    """Something that was done about a breach; nothing here is changed or removed."""

    __tablename__ = "breach_acts"
    __table_args__ = (Index("ix_breach_acts_breach_id", "breach_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    breach_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    jurisdiction: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    by: Mapped[str] = mapped_column(Text)
    evidence: Mapped[str] = mapped_column(Text)


TABLES = (Breach, BreachDuty, BreachAct)
