"""Forecasts of operators: by the adopted model of single ones, or by class; and warnings when a chance has risen."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import boosting, pasts
from services.risk.boosting import Floats
from services.risk.champions import champion, name_of
from services.risk.foresight import BY_CLASS, FEATURE_SET, FEATURES, Forecaster
from services.risk.models import Model
from services.risk.pasts import Weeks
from services.risk.rule_values import RuleValues
from shared.database import driver
from shared.errors import Invalid
from shared.events.risk import OperatorWarned, RiskClass
from shared.identifiers import derived_id
from shared.messaging import publish

log = structlog.get_logger(__name__)

KIND = "operators"
FORECAST_DAYS = 30

_DUE = "SELECT NOT EXISTS (SELECT FROM forecasts WHERE made_on > $1::date - 7)"
_FORECAST = """
    INSERT INTO forecasts (operator_id, made_on, risk_class, probability)
    SELECT o, $1, c, p FROM unnest($2::uuid[], $3::text[], $4::float8[]) AS x (o, c, p) ON CONFLICT DO NOTHING
"""
# Arrays of arrays are not taken apart by unnest: each row's features come as a text.
_INPUTS = """
    INSERT INTO forecast_inputs (operator_id, made_on, feature_set, features, by_class, forecast_by)
    SELECT o, $1, $5, f::real[], c, $6 FROM unnest($2::uuid[], $3::text[], $4::float8[]) AS x (o, f, c)
    ON CONFLICT DO NOTHING
"""
_FORGET = "DELETE FROM forecast_inputs WHERE made_on < $1"
_END = "UPDATE warnings SET ended_at = $2 WHERE ended_at IS NULL AND operator_id = ANY ($1::uuid[])"
_WARN = """
    INSERT INTO warnings (id, operator_id, probability, threshold, risk_class, forecast_by, reasons, warned_at)
    SELECT i, o, p, $6, c, $7, array(SELECT jsonb_array_elements_text(r::jsonb)), $8
    FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::text[], $5::text[]) AS x (i, o, p, c, r)
    ON CONFLICT DO NOTHING RETURNING id
"""
# As the outcome of a forecast: of the days after its own, once all of them are over.
_CAME_TRUE = """
    UPDATE warnings w SET violated = EXISTS (
        SELECT FROM alerts a LEFT JOIN operators o ON o.account_id = a.account_id
        WHERE coalesce(o.operator_id, a.account_id) = w.operator_id AND a.severity IN ('high', 'critical')
            AND a.state = 'open' AND a.window_start::date > w.warned_at::date
            AND a.window_start::date <= w.warned_at::date + $2::int)
    WHERE violated IS NULL AND warned_at::date + $2::int < $1
"""


class Operators(NamedTuple):
    """Operators with their classes, points, and what their classes say of them, in one order."""

    ids: list[UUID]
    classes: list[RiskClass]
    points: list[float]
    by_class: list[float]


class Foreseen(NamedTuple):
    """The chance of each operator, who says so, and what it was made of where that was looked at."""

    chances: list[float]
    by: str
    rows: Floats | None
    model: Forecaster | None


async def foresee(session: AsyncSession, operators: Operators, weeks: Weeks, *, at: datetime) -> Foreseen:
    """Return the chances of operators; what they are made of is looked up where it is needed."""
    found = await champion(session, KIND)
    model = None if found is None else _usable(found)
    if model is None and not await _is_due(session, at.date()):
        return Foreseen(operators.by_class, BY_CLASS, None, None)
    points = dict(zip(operators.ids, operators.points, strict=True))
    rows = await pasts.look(session, points, operators.by_class, weeks, at=at)
    if model is None or found is None:
        return Foreseen(operators.by_class, BY_CLASS, rows, None)
    return Foreseen(model.chances(rows).tolist(), name_of(found), rows, model)


async def keep(session: AsyncSession, operators: Operators, foreseen: Foreseen, values: RuleValues, on: date) -> None:
    """Keep forecasts once a week, with what they were made of, to be held against what happens."""
    if foreseen.rows is None or not await _is_due(session, on):
        return
    connection = await driver(session)
    await connection.execute(_FORECAST, on, operators.ids, operators.classes, foreseen.chances)
    texts = ["{" + ",".join(f"{one:.6g}" for one in row) + "}" for row in foreseen.rows.tolist()]
    await connection.execute(_INPUTS, on, operators.ids, texts, operators.by_class, FEATURE_SET, foreseen.by)
    (days,) = values.named("forecast.history_days", on=on)
    await connection.execute(_FORGET, on - timedelta(days=days))


async def warn(
    session: AsyncSession, operators: Operators, foreseen: Foreseen, values: RuleValues, *, at: datetime
) -> None:
    """Warn of operators whose chance has risen, end warnings where it has fallen, and check those that are due."""
    begins, ends = values.named("warning.begins", "warning.ends", on=at.date())
    connection = await driver(session)
    await connection.execute(_CAME_TRUE, at.date(), FORECAST_DAYS)
    chances = np.array(foreseen.chances)
    await connection.execute(_END, [operators.ids[row] for row in np.flatnonzero(chances < ends).tolist()], at)
    risen: list[int] = np.flatnonzero(chances >= begins).tolist()
    reasons = _reasons(foreseen, risen)
    warnings = [
        OperatorWarned(
            occurred_at=at,
            warning_id=derived_id("warning", operators.ids[row], at.isoformat()),
            operator_id=operators.ids[row],
            probability=foreseen.chances[row],
            threshold=begins,
            until=at.date() + timedelta(days=FORECAST_DAYS),
            risk_class=operators.classes[row],
            forecast_by=foreseen.by,
            reasons=why,
        )
        for row, why in zip(risen, reasons, strict=True)
    ]
    new = await _store(session, warnings, begins, foreseen.by, at)
    await publish(session, [one for one in warnings if one.warning_id in new], source="risk")


def restored(model: Model) -> Forecaster:
    """Return a stored model. Raises Invalid."""
    if model.features != list(FEATURES):
        raise Invalid("the model was made of other features than are known now")
    try:
        found = msgspec.json.decode(model.trees, type=Forecaster)
    except msgspec.DecodeError as error:
        raise Invalid(f"the stored model cannot be read: {error}") from error
    if any(len(column) != len(FEATURES) for column in (found.means, found.scales, found.weights)):
        raise Invalid("the stored model is not of as many features as it names")
    return found


def _usable(model: Model) -> Forecaster | None:
    try:
        return restored(model)
    except Invalid as error:
        log.warning("model_refused", model=name_of(model), error=error.detail, goes_on_with=BY_CLASS)
        return None


async def _is_due(session: AsyncSession, on: date) -> bool:
    due: bool = await (await driver(session)).fetchval(_DUE, on)
    return due


def _reasons(foreseen: Foreseen, places: Sequence[int]) -> list[list[str]]:
    if foreseen.model is None or foreseen.rows is None:
        return [[] for _ in places]
    rows = foreseen.rows[places]
    return [
        boosting.reasons(FEATURES, row, own) for row, own in zip(rows, foreseen.model.contributions(rows), strict=True)
    ]


async def _store(
    session: AsyncSession, warnings: Sequence[OperatorWarned], threshold: float, by: str, at: datetime
) -> set[UUID]:
    """Store warnings of operators that none stands of, and return which those are."""
    rows = await (await driver(session)).fetch(
        _WARN,
        [one.warning_id for one in warnings],
        [one.operator_id for one in warnings],
        [one.probability for one in warnings],
        [one.risk_class for one in warnings],
        [msgspec.json.encode(one.reasons).decode() for one in warnings],
        threshold,
        by,
        at,
    )
    return {row["id"] for row in rows}
