"""Tables of consent: what persons agreed to and withdrew, and what was sent to them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class Consent(Base):
    """A consent or its withdrawal, from a moment on; an empty channel stands for all."""

    __tablename__ = "consents"

    platform_id: Mapped[str] = mapped_column(Text, primary_key=True)
    person_ref: Mapped[str] = mapped_column(Text, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    stated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    granted: Mapped[bool]
    event_id: Mapped[str] = mapped_column(Text)


class SentMessage(Base):
    """A message that needs consent, and what is against it; nothing where consent was in force."""

    __tablename__ = "sent_messages"
    __table_args__ = (
        Index("ix_sent_messages_person", "platform_id", "person_ref", "purpose"),
        Index("ix_sent_messages_violations", "sent_at", "id", postgresql_where=text("reason IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    person_ref: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None]
    sent_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    rule: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)


TABLES = (Consent, SentMessage)
