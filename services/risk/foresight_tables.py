"""Tables of where operators stand, what was forecast of them and from what, and the warnings that came of it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, DateTime, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REAL
from sqlalchemy.orm import Mapped, mapped_column

from services.risk.models import Base


class OperatorStanding(Base):
    """Where an operator stands by its alerts, as the newest round of the patrol saw it."""

    __tablename__ = "standings"

    # The legal entity, or the account until it is known whose it is.
    operator_id: Mapped[UUID] = mapped_column(primary_key=True)
    points: Mapped[float]
    risk_class: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    # That something severe is found within thirty days.
    probability: Mapped[float]
    # `class`, or the model of single operators.
    forecast_by: Mapped[str] = mapped_column(Text, server_default="class")
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    assessed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Forecast(Base):
    """What was thought on a day to be the chance of a violation within thirty days, and whether there was one."""

    __tablename__ = "forecasts"

    operator_id: Mapped[UUID] = mapped_column(primary_key=True)
    made_on: Mapped[date] = mapped_column(Date, primary_key=True)
    risk_class: Mapped[str] = mapped_column(Text)
    probability: Mapped[float]
    violated: Mapped[bool | None]


class ForecastInput(Base):
    """What a forecast was made of, by whom, and what the class alone would have said; an operator a week."""

    __tablename__ = "forecast_inputs"
    __table_args__ = (Index("ix_forecast_inputs_made_on", "made_on"),)

    operator_id: Mapped[UUID] = mapped_column(primary_key=True)
    made_on: Mapped[date] = mapped_column(Date, primary_key=True)
    # Which features, as `foresight.FEATURE_SET` counts them.
    feature_set: Mapped[int] = mapped_column(SmallInteger)
    features: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    by_class: Mapped[float]
    # `class`, or the model.
    forecast_by: Mapped[str] = mapped_column(Text)


class Warned(Base):
    """A warning: an operator's chance rose over the threshold; it ends when the chance has fallen again."""

    __tablename__ = "warnings"
    __table_args__ = (
        Index("ix_warnings_warned_at_id", "warned_at", "id"),
        Index("uq_warnings_open", "operator_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[UUID]
    probability: Mapped[float]
    threshold: Mapped[float]
    risk_class: Mapped[str] = mapped_column(Text)
    forecast_by: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text))
    warned_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Whether something severe followed within thirty days; unknown before these are over.
    violated: Mapped[bool | None]
