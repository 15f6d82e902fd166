"""Tables risk owns."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, DateTime, Double, Index, LargeBinary, SmallInteger, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import new_metadata
from shared.rule_rows import RuleRow

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
    # Sixteen bytes a row: what it is about, as alerts have it too.
    subjects: Mapped[bytes] = mapped_column(LargeBinary)
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
    # What it says of amounts, and said when it was paid: a `statements.Stated` as msgpack.
    stated: Mapped[bytes | None] = mapped_column(LargeBinary)
    placed_on: Mapped[date | None] = mapped_column(Date)
    assessed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


JUDGED = "verdict IN ('confirmed', 'false_alarm')"
WAITING = "state = 'open' AND verdict IS NULL"


class Alert(Base):
    """A rule hit for a subject in a window; the id depends on nothing else, so a repeat changes nothing."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_account_id", "account_id"),
        Index("ix_alerts_raised_at_id", "raised_at", "id"),
        Index("ix_alerts_subject", "subject"),
        Index("ix_alerts_undescribed", "raised_at", "id", postgresql_where=text("known IS NULL")),
        Index("ix_alerts_judged", "rule", "judged_at", postgresql_where=text(JUDGED)),
        Index("ix_alerts_worth", text("coalesce(chance_confirmed, -1)"), "id", postgresql_where=text(WAITING)),
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
    # What the features behind it are kept about: a transaction, an account, a declaration, a key.
    subject: Mapped[UUID | None]
    # What it rests on: `order:` or `ring:` with a reference or an id, `before:` and `after:` with an amount.
    evidence: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    window_start: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text, server_default="open")
    verdict: Mapped[str | None] = mapped_column(Text)
    judged_by: Mapped[str | None] = mapped_column(Text)
    judged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    note: Mapped[str | None] = mapped_column(Text)
    raised_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    # What was known when it was raised, as `chances.NUMBERS` names it; what the chance was made of.
    known: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    chance_confirmed: Mapped[float | None]
    chance_by: Mapped[str | None] = mapped_column(Text)
    chance_contributions: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)


class DayFeatures(Base):
    """What an operator did on one day, bounded: a `days.Day` as msgpack."""

    __tablename__ = "day_features"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    version: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Batch:
    """Rows of one micro-batch as Arrow IPC, with their number and the span of their times."""

    id: Mapped[UUID] = mapped_column(primary_key=True)
    first_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    rows: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SalesBatch(Batch, Base):
    """Orders: who bought at whose shop, when and from where."""

    __tablename__ = "sales"


class OpinionsBatch(Batch, Base):
    """Reviews: who reviewed whose goods, how and when."""

    __tablename__ = "opinions"


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


class Incident(Base):
    """A security incident as a platform last reported it."""

    __tablename__ = "incidents"
    __table_args__ = (Index("ix_incidents_kind_found_at", "kind", "found_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    incident_ref: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    affected: Mapped[int] = mapped_column(BigInteger)
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Investigation(Base):
    """A proposal to look into an operator, because several signals agree."""

    __tablename__ = "investigations"
    __table_args__ = (Index("ix_investigations_proposed_at_id", "proposed_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[UUID] = mapped_column(unique=True)
    points: Mapped[float]
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    proposed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


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


class Declaration(Base):
    """A customs declaration and how it was channelled; without content where only its end is known yet."""

    __tablename__ = "declarations"
    __table_args__ = (
        Index("ix_declarations_recorded_at_id", "recorded_at", "id"),
        Index("ix_declarations_lodged_on_draw", "lodged_on", "draw"),
        Index("ix_declarations_account_id", "account_id"),
        Index("ix_declarations_uncompared", "recorded_at", postgresql_where=text("NOT is_compared")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    declaration_ref: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None]
    lodged_on: Mapped[date | None] = mapped_column(Date)
    # When the stream said so; the channel may be of another day where a declaration was stated anew.
    lodged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    content: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # In one currency for all, at the rate of its day; unknown where there is none.
    value: Mapped[float | None]
    # What was known of like goods when it was scored: training sees what the score saw.
    described: Mapped[list[float] | None] = mapped_column(ARRAY(Double))
    channel: Mapped[str | None] = mapped_column(Text)
    score: Mapped[float | None]
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    model: Mapped[str | None] = mapped_column(Text)
    explored: Mapped[bool] = mapped_column(server_default="false")
    # With which probability it was to be inspected; unknown where it had been already.
    selection_probability: Mapped[float | None]
    draw: Mapped[float | None]
    policy_on: Mapped[date | None] = mapped_column(Date)
    cleared_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    final: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # The order it names, and whether its value is still to be held against what was paid.
    transaction_id: Mapped[UUID | None]
    is_compared: Mapped[bool] = mapped_column(server_default="true")
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Inspection(Base):
    """What an inspection found, as last stated. What a platform says of its own goods is kept and not learned from."""

    __tablename__ = "inspections"

    declaration_id: Mapped[UUID] = mapped_column(primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    result: Mapped[str] = mapped_column(Text)
    violation: Mapped[str | None] = mapped_column(Text)
    inspected_on: Mapped[date] = mapped_column(Date)
    note: Mapped[str | None] = mapped_column(Text)
    by_customs: Mapped[bool]
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class LikenessCount(Base):
    """How many inspections of goods of one likeness count from a day on, and how many found a violation."""

    __tablename__ = "likeness_counts"

    likeness: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    counts_from: Mapped[date] = mapped_column(Date, primary_key=True)
    inspections: Mapped[int] = mapped_column(BigInteger)
    violations: Mapped[int] = mapped_column(BigInteger)


class HeadingValue(Base):
    """How many declarations a heading has had, and the sum of their logarithms of value per kilogram."""

    __tablename__ = "heading_values"

    heading: Mapped[str] = mapped_column(Text, primary_key=True)
    declared: Mapped[int] = mapped_column(BigInteger)
    log_value_per_kg: Mapped[float]


class InspectionDay(Base):
    """What was lodged on a day, and what of its inspections is spent; those drawn at random are part of it."""

    __tablename__ = "inspection_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    volume: Mapped[int] = mapped_column(BigInteger)
    spent: Mapped[int] = mapped_column(BigInteger, server_default="0")
    explored: Mapped[int] = mapped_column(BigInteger, server_default="0")


class DrawKey(Base):
    """The secret that draws are made with: who knows it could choose references that are never drawn."""

    __tablename__ = "draw_keys"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)


class Model(Base):
    """A trained model: its trees as LightGBM's text, what it was made of, and what it was worth."""

    __tablename__ = "models"
    __table_args__ = (
        Index("uq_models_champion", "kind", unique=True, postgresql_where=text("state = 'champion'")),
        Index("ix_models_created_at", "created_at"),
    )

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    trees: Mapped[bytes] = mapped_column(LargeBinary)
    features: Mapped[list[str]] = mapped_column(ARRAY(Text))
    lookups: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # Scores of the time held back, at even steps: what thresholds come from until there are enough of its own.
    scores: Mapped[list[float]] = mapped_column(ARRAY(Double))
    trained_from: Mapped[date] = mapped_column(Date)
    trained_to: Mapped[date] = mapped_column(Date)
    outcomes: Mapped[int]
    violations: Mapped[int]
    card: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    adopted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RuleValue(Base, RuleRow):
    """A number that is law or policy, with its source and the dates it holds between."""

    __tablename__ = "rule_values"
