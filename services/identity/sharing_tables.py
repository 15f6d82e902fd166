"""Tables of sharing: what each department may see, and what each asked for."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Date, DateTime, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class ProjectionField(Base):
    """A field of registration files that a department may see, on which legal basis, between two dates."""

    __tablename__ = "projection_fields"

    department: Mapped[str] = mapped_column(Text, primary_key=True)
    field: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    valid_to: Mapped[date | None] = mapped_column(Date)
    basis: Mapped[str] = mapped_column(Text)


class SharedProjection(Base):
    """A department asked for what is on file of an operator and got it, or heard that it has it already."""

    __tablename__ = "shared_projections"
    __table_args__ = (
        Index("ix_shared_projections_operator_id_files", "operator_id", "files"),
        Index("ix_shared_projections_asked_at", "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    department: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    # A hash of the versions of its accounts' files: what was handed in once.
    files: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    asked_by: Mapped[str] = mapped_column(Text)
    # Without this register the operator would have been asked again for what it had handed in.
    is_duplicate: Mapped[bool]
    is_unchanged: Mapped[bool]


TABLES = (ProjectionField, SharedProjection)
