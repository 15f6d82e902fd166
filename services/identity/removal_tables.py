"""Tables of removal orders: what an account is to be removed for, and what its platform did about it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models import Base


class RemovalGround(Base):
    """Something an account is to be removed for, until it ends: an alert, a credit level, a regulator's decision."""

    __tablename__ = "removal_grounds"
    __table_args__ = (Index("ix_removal_grounds_account_id", "account_id", postgresql_where=text("ended_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    # The rule value that makes it one, such as `removal.rule.unlicensed_operator`, and the source it had that day.
    name: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RemovalOrder(Base):
    """An order to a platform to remove an account by a day, and to say before that it has read it."""

    __tablename__ = "removal_orders"
    __table_args__ = (
        Index("ix_removal_orders_ordered_at_id", "ordered_at", "id"),
        # One that is open for each account: whoever comes second finds it.
        Index("ix_removal_orders_open", "account_id", unique=True, postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    operator_id: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    operator_ref: Mapped[str] = mapped_column(Text)
    # open, carried_out or withdrawn.
    state: Mapped[str] = mapped_column(Text)
    grounds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    sources: Mapped[list[str]] = mapped_column(ARRAY(Text))
    ordered_by: Mapped[str] = mapped_column(Text)
    ordered_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    acknowledge_by: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    remove_by: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    acknowledged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    acknowledged_by: Mapped[str | None] = mapped_column(Text)
    # What ran out: `not_acknowledged`, `not_removed`.
    escalations: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_because: Mapped[str | None] = mapped_column(Text)


TABLES = (RemovalGround, RemovalOrder)
