"""Tables risk owns."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Index, LargeBinary, SmallInteger, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import new_metadata

metadata = new_metadata()


class Base(DeclarativeBase):
    """Tables of this service."""

    metadata = metadata


class Rule(Base):
    """A version of a rule: an SQL expression over the features of its stream, and how far it has come.

    It holds from `valid_from` to `valid_to` once a second person has approved it; in shadow its hits are only counted.
    """

    __tablename__ = "rules"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    expression: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    points: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    valid_from: Mapped[date | None] = mapped_column(Date)
    valid_to: Mapped[date | None] = mapped_column(Date)
    # draft, shadow, approved, retired or suspended.
    state: Mapped[str] = mapped_column(Text, server_default="approved")
    # Rows of features, and whether the rule is to hold for each.
    tests: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default="[]")
    backtest: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    author: Mapped[str] = mapped_column(Text, server_default="seed")
    approved_by: Mapped[str | None] = mapped_column(Text)
    suspended_because: Mapped[str | None] = mapped_column(Text)
    saved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class RuleDay(Base):
    """What a version of a rule did on a day: rows it saw, hits, and what it cost where that was measured."""

    __tablename__ = "rule_days"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger)
    hits: Mapped[int] = mapped_column(BigInteger)
    timed_rows: Mapped[int] = mapped_column(BigInteger)
    timed_ns: Mapped[int] = mapped_column(BigInteger)


class FeatureBatch(Base):
    """The features of one micro-batch of a stream, as Arrow IPC: what rules are tried on before they count."""

    __tablename__ = "feature_batches"
    __table_args__ = (Index("ix_feature_batches_stream_kept_at", "stream", "kept_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(Text)
    kept_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    rows: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Assessment(Base):
    """The newest score of one operator's part in a transaction, with the rules it hit."""

    __tablename__ = "assessments"

    transaction_id: Mapped[UUID] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    order_ref: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None]
    revision: Mapped[int]
    score: Mapped[float]
    hits: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # When it was paid, for as long as no parcel is known and nobody cancelled.
    unshipped_since: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    assessed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Alert(Base):
    """A rule hit for a subject in a window; the id depends on nothing else, so a repeat changes nothing."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_account_id", "account_id"),
        Index("ix_alerts_raised_at_id", "raised_at", "id"),
        Index("ix_alerts_transaction_id", "transaction_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None]
    transaction_id: Mapped[UUID | None]
    order_ref: Mapped[str | None] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)
    rule_version: Mapped[int]
    severity: Mapped[str] = mapped_column(Text)
    score: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    contributions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    # What it can be looked up by: `order:`, `ring:` and a reference or an id.
    evidence: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    window_start: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    # open, withdrawn by a later document, or dismissed as a false alarm.
    state: Mapped[str] = mapped_column(Text, server_default="open")
    verdict: Mapped[str | None] = mapped_column(Text)
    judged_by: Mapped[str | None] = mapped_column(Text)
    judged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    note: Mapped[str | None] = mapped_column(Text)
    raised_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class DayFeatures(Base):
    """What an operator did on one day, bounded: a `days.Day` as msgpack."""

    __tablename__ = "day_features"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    version: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SalesBatch(Base):
    """The orders of one micro-batch, as Arrow IPC: who bought at whose shop, when and from where."""

    __tablename__ = "sales"
    __table_args__ = (Index("ix_sales_last_placed_at", "last_placed_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_placed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_placed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    orders: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Ring(Base):
    """Buyers and shops that deal with each other beyond chance, under one id for as long as most of them stay."""

    __tablename__ = "rings"
    __table_args__ = (Index("ix_rings_seen_at_id", "seen_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    buyers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    accounts: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    orders: Mapped[int]
    expected_pairs: Mapped[float]
    chance_log10: Mapped[float]
    split_from: Mapped[UUID | None]
    state: Mapped[str] = mapped_column(Text, server_default="active")
    first_seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PatrolRound(Base):
    """What the newest round over the history looked at: a single row."""

    __tablename__ = "patrol_rounds"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    # Messages that had been applied when it began.
    applied: Mapped[int] = mapped_column(BigInteger)
    orders: Mapped[int]
    shops: Mapped[int]
    rings: Mapped[int]
    seconds: Mapped[float]
    finished_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Operator(Base):
    """What identity last said of an account."""

    __tablename__ = "operators"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    operator_ref: Mapped[str] = mapped_column(Text)
    operator_id: Mapped[UUID]
    verdict: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    version: Mapped[int]
