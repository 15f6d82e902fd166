"""Tables of who read personal data, and what for."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, DateTime, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class Purpose(Base):
    """What personal data may be read for, by whom, on which legal basis, between two dates."""

    __tablename__ = "purposes"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    valid_to: Mapped[date | None] = mapped_column(Date)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    basis: Mapped[str] = mapped_column(Text)


class PersonalRead(Base):
    """Personal data of some accounts is about to be read: written, and committed, before it is."""

    __tablename__ = "personal_reads"
    __table_args__ = (
        Index("ix_personal_reads_read_at_id", "read_at", "id"),
        Index("ix_personal_reads_accounts", "accounts", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    read_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    role: Mapped[str] = mapped_column(Text)
    reader: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    accounts: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
