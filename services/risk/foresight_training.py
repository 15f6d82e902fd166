"""Models of single operators: learnt from what forecasts came to, adopted where they forecast better than the class."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import champions
from services.risk.champions import champion, name_of
from services.risk.foreseeing import FORECAST_DAYS, KIND, restored
from services.risk.foresight import BY_CLASS, FEATURE_SET, FEATURES, Forecaster
from services.risk.foresight_learning import Outcomes, Terms, Trained, train
from services.risk.models import Model
from services.risk.rule_values import RuleValues
from services.risk.training import EVERY, alone, trained_if_due
from shared.database import Sessions, driver, transaction
from shared.errors import Invalid

log = structlog.get_logger(__name__)

# The newest so many forecasts are learnt from.
_MOST = 200_000
_MATERIAL = """
    SELECT i.features, i.made_on, i.by_class, f.violated
    FROM forecast_inputs i JOIN forecasts f USING (operator_id, made_on)
    WHERE f.violated IS NOT NULL AND i.feature_set = $1 ORDER BY i.made_on DESC, i.operator_id LIMIT $2
"""
_KNOWN = """
    SELECT least(count(*), $2) FROM forecast_inputs i JOIN forecasts f USING (operator_id, made_on)
    WHERE f.violated IS NOT NULL AND i.feature_set = $1
"""
_NEW = """
    SELECT count(*) FROM forecast_inputs i JOIN forecasts f USING (operator_id, made_on)
    WHERE f.violated IS NOT NULL AND i.feature_set = $1 AND i.made_on > $2
"""


async def challenge(sessions: Sessions, *, now: datetime) -> Model:
    """Train a model on all but the newest outcomes, judge it by these, store it, and adopt it if it forecasts better.

    Raises TooFewOutcomes and TrainingUnderWay.
    """
    async with transaction(sessions) as session:
        await alone(session)
        terms = await _terms(session, now.date())
        rows = await (await driver(session)).fetch(_MATERIAL, FEATURE_SET, _MOST)
        name, former = _former(await champion(session, KIND))
        trained = await asyncio.to_thread(_trained, rows, name, former, terms)
        async with transaction(sessions) as writing:
            return await _store(writing, trained, now)


async def retrain(sessions: Sessions, *, now: datetime) -> Model | None:
    """Train if it is due, and return the model; None where it is not, or cannot be."""
    return await trained_if_due(sessions, KIND, _is_due, challenge, figure="brier", now=now)


async def _is_due(session: AsyncSession, *, now: datetime) -> bool:
    """Tell whether the last training is a day old and enough came to an end since."""
    last = await champions.newest(session, KIND)
    terms, connection = await _terms(session, now.date()), await driver(session)
    if last is None:
        return bool(await connection.fetchval(_KNOWN, FEATURE_SET, _MOST) >= terms.least_outcomes)
    if now - last.created_at < EVERY:
        return False
    until = date.fromisoformat(last.card["held_back"]["to"])
    return bool(await connection.fetchval(_NEW, FEATURE_SET, until) >= terms.least_new_outcomes)


def _trained(rows: Sequence[Any], name: str, former: Forecaster | None, terms: Terms) -> Trained:  # asyncpg's records
    rows = rows[::-1]
    outcomes = Outcomes(
        np.array([row["features"] for row in rows], dtype=np.float64).reshape(len(rows), len(FEATURES)),
        np.array([row["made_on"].toordinal() for row in rows], dtype=np.float64),
        np.array([row["by_class"] for row in rows], dtype=np.float64),
        np.array([row["violated"] for row in rows], dtype=np.float64),
    )
    return train(outcomes, former, name, terms)


def _former(incumbent: Model | None) -> tuple[str, Forecaster | None]:
    """Return what forecasts now; the class where the model that should cannot be used."""
    if incumbent is None:
        return BY_CLASS, None
    try:
        return name_of(incumbent), restored(incumbent)
    except Invalid as error:
        log.warning("incumbent_refused", model=name_of(incumbent), error=error.detail)
        return BY_CLASS, None


async def _terms(session: AsyncSession, on: date) -> Terms:
    values = RuleValues()
    await values.refresh(session)
    names = ("held_back_share", "least_outcomes", "least_new_outcomes", "least_violated")
    share, least, least_new, violated = values.named(*(f"forecast.{name}" for name in names), on=on)
    return Terms(share, int(least), int(least_new), int(violated), FORECAST_DAYS)


async def _store(session: AsyncSession, trained: Trained, now: datetime) -> Model:
    span = trained.card["trained"]
    model = Model(
        kind=KIND,
        state="champion" if trained.adopted else "candidate",
        trees=msgspec.json.encode(trained.model),
        features=list(FEATURES),
        lookups={},
        scores=champions.quantiles(trained.chances),
        trained_from=date.fromisoformat(span["from"]),
        trained_to=date.fromisoformat(span["to"]),
        outcomes=span["outcomes"],
        violations=span["violations"],
        card=trained.card,
        created_at=now,
        adopted_at=now if trained.adopted else None,
    )
    # One that forecasts no better than the class any more goes too, with nothing in its place.
    return await champions.store(session, model, retires=trained.adopted or not trained.incumbent_holds)
