"""Table of purges: personal data of accounts that was destroyed for good."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class Purge(Base):
    """A purge, from the moment it was allowed; its certificate once the keys are gone."""

    __tablename__ = "purges"
    __table_args__ = (
        Index("ix_purges_account_id", "account_id"),
        Index("ix_purges_begun", "id", postgresql_where=text("certificate IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    operator_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    operator_ref: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    # Keys of the account that lived then.
    generations: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    ended_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    kept_until: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    rule_source: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(Text)
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    purged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    certificate: Mapped[str | None] = mapped_column(Text)
