"""Table of disclosure requests: consumers who demand from a platform who a seller is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class DisclosureRequest(Base):
    """A demand and its answer, which is sealed under the key of the seller's account."""

    __tablename__ = "disclosure_requests"
    __table_args__ = (
        Index("ix_disclosure_requests_requested_at_id", "requested_at", "id"),
        # One that waits for each consumer and seller: asked twice is asked once.
        Index(
            "ix_disclosure_requests_waiting",
            *("consumer_ref", "account_id"),
            unique=True,
            postgresql_where=text("answered_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID]
    operator_ref: Mapped[str] = mapped_column(Text)
    order_ref: Mapped[str | None] = mapped_column(Text)
    consumer_ref: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    source: Mapped[str] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answered_by: Mapped[str | None] = mapped_column(Text)
    sealed: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    # When the platform became liable, for want of an answer; a late one does not undo it.
    defaulted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def state(self) -> str:
        """Return where it stands: requested, answered, defaulted or answered_late."""
        if self.answered_at is None:
            return "requested" if self.defaulted_at is None else "defaulted"
        return "answered" if self.defaulted_at is None else "answered_late"
