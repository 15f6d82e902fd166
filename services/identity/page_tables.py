"""Tables of pages that were looked at: what each said and what that came to, where shops were, how displays stand."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class PageSnapshot(Base):
    """A page as it was shown once. Whose shop it is and what it came to is found anew when files come later."""

    __tablename__ = "page_snapshots"
    __table_args__ = (
        Index("ix_page_snapshots_captured_at_id", "captured_at", "id"),
        Index("ix_page_snapshots_account_id", "account_id"),
        Index("ix_page_snapshots_fronts", "fronts", postgresql_using="gin"),
        Index("ix_page_snapshots_home", "platform_id", "captured_at", postgresql_where=text("kind = 'home'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    # The page's address, and those of all pages it lies under.
    fronts: Mapped[list[str]] = mapped_column(ARRAY(Text))
    captured_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sha256: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int]
    encoding: Mapped[str] = mapped_column(Text)
    reader: Mapped[int]
    issues: Mapped[list[str]] = mapped_column(ARRAY(Text))
    marks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    account_id: Mapped[UUID | None]
    operator_id: Mapped[UUID | None]
    # The version of the account's file that it was compared with, and the front page of the shop.
    version: Mapped[int | None]
    shop: Mapped[str | None] = mapped_column(Text)
    # unmatched, displayed, violated, not_required, not_judged, account_ended; of a home page: reported.
    finding: Mapped[str] = mapped_column(Text)
    codes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    source: Mapped[str | None] = mapped_column(Text)
    # Of a home page: what it shows of what it has to, and the share of that in hundredths.
    items: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    score: Mapped[float | None]
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ShopStatement(Base):
    """Where an account has a shop by one version of its file."""

    __tablename__ = "shop_statements"
    __table_args__ = (Index("ix_shop_statements_address", "address"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(Text, primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)


class DisplayState(Base):
    """How an account's shops display its licence, by the newest snapshot of each."""

    __tablename__ = "display_states"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    is_violated: Mapped[bool]
    codes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    page_ids: Mapped[list[UUID]] = mapped_column(ARRAY(PG_UUID(as_uuid=True)))
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))


TABLES = (PageSnapshot, ShopStatement, DisplayState)
