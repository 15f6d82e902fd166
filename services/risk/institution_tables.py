"""Tables of the registry of payment institutions: what each is certified for and when, and every change of it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, DateTime, ForeignKey, Index, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Alert, Base

# Alerts that name institutions begin their evidence with one: only those are in the index.
NAMES_INSTITUTION = "evidence[1] LIKE 'institution:%'"

Index("ix_alerts_institution", Alert.evidence, postgresql_using="gin", postgresql_where=text(NAMES_INSTITUTION))


class Institution(Base):
    """A payment institution under the id that platforms name it by."""

    __tablename__ = "institutions"
    __table_args__ = (Index("ix_institutions_registered_at_id", "registered_at", "id"),)

    institution_id: Mapped[str] = mapped_column(Text, primary_key=True)
    # Derived from `institution_id`: what pages of lists go by.
    id: Mapped[UUID] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(Text)
    jurisdiction: Mapped[str] = mapped_column(Text)
    registered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Certification(Base):
    """A certificate, licence or authorisation of an institution; it holds from `valid_from` to before `valid_to`."""

    __tablename__ = "institution_certifications"

    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.institution_id"), primary_key=True)
    scheme: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    valid_to: Mapped[date | None] = mapped_column(Date)
    authority: Mapped[str] = mapped_column(Text)


class ChannelPermit(Base):
    """A channel that an institution may operate from `valid_from` to before `valid_to`."""

    __tablename__ = "institution_channels"

    institution_id: Mapped[str] = mapped_column(ForeignKey("institutions.institution_id"), primary_key=True)
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    valid_to: Mapped[date | None] = mapped_column(Date)


class InstitutionChange(Base):
    """Who changed what of the registry and when, with what stood before and what stands since."""

    __tablename__ = "institution_changes"
    __table_args__ = (Index("ix_institution_changes_institution_id_id", "institution_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    institution_id: Mapped[str] = mapped_column(Text)
    # institution, certification or channel.
    item: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
