"""Table of contacts without consent."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class ContactViolation(Base):
    """A message or an enrolment without consent, as identity found it; the person by its platform's reference only."""

    __tablename__ = "contact_violations"
    __table_args__ = (Index("ix_contact_violations_sender", "platform_id", "account_id", "sent_at"),)

    violation_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None]
    purpose: Mapped[str] = mapped_column(Text)
    # Unknown while only what clears it is.
    person_ref: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cleared: Mapped[bool]
