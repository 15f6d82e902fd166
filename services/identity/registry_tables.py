"""Tables of public registers: extracts that were loaded, and what each says of whom between two dates."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, DateTime, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class RegistryExtract(Base):
    """One loaded extract of a register, true of a day; a complete one says too who is no longer registered."""

    __tablename__ = "registry_extracts"
    __table_args__ = (Index("ix_registry_extracts_register", "jurisdiction", "scheme", "stated_on"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(Text)
    scheme: Mapped[str] = mapped_column(Text)
    stated_on: Mapped[date] = mapped_column(Date)
    is_complete: Mapped[bool]
    file_name: Mapped[str] = mapped_column(Text)
    # loading or loaded; one that was interrupted is finished by loading the file again.
    state: Mapped[str] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(server_default="0")
    broken: Mapped[int] = mapped_column(server_default="0")
    changed: Mapped[int] = mapped_column(server_default="0")
    ended: Mapped[int] = mapped_column(server_default="0")
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    loaded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RegistryEntry(Base):
    """What a register says of a number from a day on, until the day it said something else."""

    __tablename__ = "registry_entries"
    __table_args__ = (
        Index("ix_registry_entries_normal_name", "normal_name"),
        # Pairs of signs and not pg_trgm: that one finds no letters in Chinese names under the C locale.
        Index("ix_registry_entries_grams", "grams", postgresql_using="gin"),
        Index("ix_registry_entries_current", "jurisdiction", "scheme", postgresql_where=text("valid_to IS NULL")),
    )

    jurisdiction: Mapped[str] = mapped_column(Text, primary_key=True)
    scheme: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    valid_to: Mapped[date | None] = mapped_column(Date)
    name: Mapped[str] = mapped_column(Text)
    normal_name: Mapped[str] = mapped_column(Text)
    grams: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # active, revoked, cancelled or moved; a word we do not know stands as it came.
    status: Mapped[str] = mapped_column(Text)
    registered_on: Mapped[date | None] = mapped_column(Date)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    extract_id: Mapped[UUID]


class RegistryRow(Base):
    """A row of an extract on its way into the entries; kept while it is loaded, and not written ahead."""

    __tablename__ = "registry_rows"
    __table_args__ = (Index("ix_registry_rows_number", "extract_id", "number"), {"prefixes": ["UNLOGGED"]})

    extract_id: Mapped[UUID] = mapped_column(primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    normal_name: Mapped[str] = mapped_column(Text)
    grams: Mapped[list[str]] = mapped_column(ARRAY(Text))
    status: Mapped[str] = mapped_column(Text)
    registered_on: Mapped[date | None] = mapped_column(Date)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
