"""Models of which alerts are confirmed: learnt from verdicts, adopted where they beat the precision of the rules."""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import champions
from services.risk.champions import name_of
from services.risk.chances import FEATURES, NUMBERS, Incumbent, Terms, Trained, Verdicts, train
from services.risk.chancing import KIND, described, usable
from services.risk.models import Model
from services.risk.rule_values import RuleValues
from services.risk.training import EVERY, alone, trained_if_due
from shared.database import Sessions, driver, transaction

# The newest so many verdicts are learnt from, and the chances of the newest so many alerts held against theirs.
_MOST, _NEWEST = 200_000, 5_000
_MATERIAL = """
    SELECT a.rule, a.known, coalesce(r.stream, '') AS stream, a.verdict, a.judged_at
    FROM alerts a LEFT JOIN rules r ON r.code = a.rule AND r.version = a.rule_version
    WHERE a.verdict IN ('confirmed', 'false_alarm') AND a.judged_at <= $1 AND cardinality(a.known) = $2
    ORDER BY a.judged_at DESC, a.id LIMIT $3
"""
_RAISED = """
    SELECT a.rule, a.known, coalesce(r.stream, '') AS stream
    FROM alerts a LEFT JOIN rules r ON r.code = a.rule AND r.version = a.rule_version
    WHERE cardinality(a.known) = $1 ORDER BY a.raised_at DESC, a.id DESC LIMIT $2
"""
_JUDGED = """
    SELECT count(*) FROM alerts
    WHERE verdict IN ('confirmed', 'false_alarm') AND judged_at > $1 AND judged_at <= $2
"""
_EVER = datetime.fromisoformat("1990-01-01T00:00:00Z")


async def challenge(sessions: Sessions, *, now: datetime) -> Model:
    """Train a model on all but the newest verdicts, judge it by these, store it, and adopt it if it is better.

    Raises TooFewOutcomes, TrainingUnderWay, and Unavailable where LightGBM cannot be loaded.
    """
    async with transaction(sessions) as session:
        await alone(session)
        terms, connection = await _terms(session, now.date()), await driver(session)
        judged = await connection.fetch(_MATERIAL, now, len(NUMBERS), _MOST)
        newest = await connection.fetch(_RAISED, len(NUMBERS), _NEWEST)
        incumbent = await champions.champion(session, KIND)
        trained = await asyncio.to_thread(_trained, judged, newest, incumbent, terms)
        async with transaction(sessions) as writing:
            return await _store(writing, trained, now)


async def retrain(sessions: Sessions, *, now: datetime) -> Model | None:
    """Train if it is due, and return the model; None where it is not, or cannot be."""
    return await trained_if_due(sessions, KIND, _is_due, challenge, figure="average_precision", now=now)


async def _is_due(session: AsyncSession, *, now: datetime) -> bool:
    """Tell whether the last training is a day old and enough was judged since."""
    last = await champions.newest(session, KIND)
    if last is not None and now - last.created_at < EVERY:
        return False
    terms = await _terms(session, now.date())
    least = terms.least_outcomes if last is None else terms.least_new_outcomes
    since = _EVER if last is None else last.created_at
    return bool(await (await driver(session)).fetchval(_JUDGED, since, now) >= least)


def _trained(judged: Sequence[Any], newest: Sequence[Any], incumbent: Model | None, terms: Terms) -> Trained:
    """Train on asyncpg's records."""
    rows = judged[::-1]
    verdicts = Verdicts(
        described(rows),
        np.array([row["judged_at"].timestamp() for row in rows], dtype=np.float64),
        np.array([row["verdict"] == "confirmed" for row in rows], dtype=np.float64),
    )
    return train(verdicts, described(newest), _former(incumbent), terms)


def _former(incumbent: Model | None) -> Incumbent | None:
    """Return what scores now; None where the model that should cannot be used."""
    found = usable(incumbent) if incumbent is not None else None
    if incumbent is None or found is None:
        return None
    return Incumbent(found, name_of(incumbent), np.array(incumbent.scores, dtype=np.float64))


async def _terms(session: AsyncSession, on: date) -> Terms:
    values = RuleValues()
    await values.refresh(session)
    names = ("held_back_share", "least_outcomes", "least_new_outcomes", "least_of_each")
    share, least, least_new, each = values.named(*(f"chances.{name}" for name in names), on=on)
    return Terms(share, int(least), int(least_new), int(each))


async def _store(session: AsyncSession, trained: Trained, now: datetime) -> Model:
    span = trained.card["trained"]
    model = Model(
        kind=KIND,
        state="champion" if trained.adopted else "candidate",
        trees=trained.model.trees().encode(),
        features=list(FEATURES),
        lookups=msgspec.to_builtins(trained.model.lookups),
        scores=champions.quantiles(trained.chances),
        trained_from=date.fromisoformat(span["from"]),
        trained_to=date.fromisoformat(span["to"]),
        outcomes=span["outcomes"],
        violations=span["confirmed"],
        card=trained.card,
        created_at=now,
        adopted_at=now if trained.adopted else None,
    )
    # One that is no better than the rules' precision any more goes too, with nothing in its place.
    return await champions.store(session, model, retires=trained.adopted or not trained.incumbent_holds)
