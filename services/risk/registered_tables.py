"""Table of what identity found of accounts' registration with customs, version by version."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class CustomsStanding(Base):
    """What was against an account's registration with customs from a moment on; nothing where all was in order."""

    __tablename__ = "customs_standings"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    faults: Mapped[list[str]] = mapped_column(ARRAY(Text))
