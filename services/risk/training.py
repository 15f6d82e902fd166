"""Models of declarations: learnt from what customs found, adopted only where they find more than what scores now."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.boosting import Floats
from services.risk.champions import KIND, RULES, champion, name_of, quantiles, restored, store
from services.risk.declarations import LIKENESS, frame_of
from services.risk.learning import Material, Terms, Trained, train
from services.risk.lodgings import goods
from services.risk.models import Inspection, Model
from services.risk.rule_values import RuleValues
from services.risk.triage import Triage
from shared.clock import utc_now, wait
from shared.database import Sessions, driver, transaction
from shared.errors import Conflict, DomainError, Invalid, Unavailable
from shared.events.customs import DeclarationLodged

log = structlog.get_logger(__name__)

CHECK_SECONDS = 600.0
EVERY = timedelta(days=1)
# The newest so many declarations are learnt from, inspected or not: usual values are those of all.
_MOST = 200_000

# Held by its connection while a training goes on; nothing else is written in that transaction, so nobody waits for it.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('risk.training'))"
_PATIENT = "SET LOCAL idle_in_transaction_session_timeout = 0"
_MATERIAL = """
    SELECT d.content::text AS content, d.value, d.described, d.channel, d.selection_probability, i.result,
        i.inspected_on
    FROM declarations d LEFT JOIN inspections i ON i.declaration_id = d.id AND i.by_customs
    WHERE d.described IS NOT NULL ORDER BY d.lodged_on DESC, d.id LIMIT $1
"""


class TrainingUnderWay(Conflict):
    """Somebody trains already."""


async def challenge(sessions: Sessions, *, now: datetime) -> Model:
    """Train a model on all but the newest outcomes, judge it by these, store it, and adopt it if it finds more.

    Raises TooFewOutcomes, TrainingUnderWay, and Unavailable where LightGBM cannot be loaded.
    """
    async with transaction(sessions) as session:
        await alone(session)
        terms = await _terms(session, now.date())
        rows = await (await driver(session)).fetch(_MATERIAL, _MOST)
        incumbent = await champion(session)
        # In a thread, and the trees take no lock of the interpreter: the stream goes on.
        trained = await asyncio.to_thread(_trained, rows, incumbent, terms)
        async with transaction(sessions) as writing:
            return await _store(writing, trained, now)


async def alone(session: AsyncSession) -> None:
    """Let nobody else train until this transaction ends, which may wait for long. Raises TrainingUnderWay."""
    await (await driver(session)).execute(_PATIENT)
    if not await (await driver(session)).fetchval(_LOCK):
        raise TrainingUnderWay("a training is under way")


def _trained(rows: Sequence[Any], incumbent: Model | None, terms: Terms) -> Trained:  # asyncpg's records
    name, former = _former(incumbent)
    return train(_material(rows[::-1]), former, name, terms)


def _former(incumbent: Model | None) -> tuple[str, Triage]:
    """Return what scores now; the rules where the model that should cannot be used."""
    if incumbent is None:
        return RULES, Triage()
    try:
        return name_of(incumbent), restored(incumbent)
    except (Invalid, Unavailable) as error:
        log.warning("incumbent_refused", model=name_of(incumbent), error=str(error))
        return RULES, Triage()


async def _terms(session: AsyncSession, on: date) -> Terms:
    values = RuleValues()
    await values.refresh(session)
    inspected, held_back, least, least_new = values.named(
        "models.inspected_share", "models.held_back_share", "models.least_outcomes", "models.least_new_outcomes", on=on
    )
    return Terms(inspected, held_back, int(least), int(least_new))


def _material(rows: Sequence[Any]) -> Material:  # asyncpg's records, in the order of days
    decode = msgspec.json.Decoder(DeclarationLodged).decode
    frame = frame_of([goods(decode(row["content"]), row["value"]) for row in rows])
    return Material(
        frame,
        np.array([row["described"] for row in rows], dtype=np.float64).reshape(len(rows), 2 * len(LIKENESS)),
        _floats([day.toordinal() for day in frame["lodged_on"]]),
        _floats([None if row["result"] is None else row["result"] == "violation" for row in rows]),
        _floats([None if row["inspected_on"] is None else row["inspected_on"].toordinal() for row in rows]),
        _floats([_weight(row) for row in rows]),
    )


def _floats(column: Sequence[float | None]) -> Floats:
    return np.array(column, dtype=np.float64)


def _weight(row: Any) -> float:  # asyncpg's record
    """Return for how many an inspected declaration stands; one that customs picked by itself stands for itself."""
    probability: float | None = row["selection_probability"]
    return 1 / probability if row["channel"] == "inspection" and probability else 1.0


async def _store(session: AsyncSession, trained: Trained, now: datetime) -> Model:
    trees, lookups = trained.triage.stored()
    span = trained.card["trained"]
    model = Model(
        kind=KIND,
        state="champion" if trained.adopted else "candidate",
        trees=trees.encode(),
        features=list(trained.triage.features),
        lookups=msgspec.to_builtins(lookups),
        scores=quantiles(trained.scores),
        trained_from=date.fromisoformat(span["from"]),
        trained_to=date.fromisoformat(span["to"]),
        outcomes=span["outcomes"],
        violations=span["violations"],
        card=trained.card,
        created_at=now,
        adopted_at=now if trained.adopted else None,
    )
    return await store(session, model, retires=trained.adopted)


async def is_due(session: AsyncSession, *, now: datetime) -> bool:
    """Tell whether the last training is a day old and enough was found since."""
    statement = select(func.max(Model.created_at)).where(Model.kind == KIND)
    last: datetime | None = (await session.execute(statement)).scalar_one()
    if last is not None and now - last < EVERY:
        return False
    found = select(func.count()).select_from(Inspection).where(Inspection.by_customs)
    if last is not None:
        found = found.where(Inspection.recorded_at > last)
    terms = await _terms(session, now.date())
    least = terms.least_outcomes if last is None else terms.least_new_outcomes
    return (await session.execute(found)).scalar_one() >= least


async def retrain(sessions: Sessions, *, now: datetime) -> Model | None:
    """Train if it is due, and return the model; None where it is not, or cannot be."""
    return await trained_if_due(sessions, KIND, is_due, challenge, figure="precision", now=now)


async def trained_if_due(
    sessions: Sessions,
    kind: str,
    is_due: Callable[..., Awaitable[bool]],
    challenge: Callable[..., Awaitable[Model]],
    *,
    figure: str,
    now: datetime,
) -> Model | None:
    """Train a kind of models where it is due, and return the model; None where it is not, or cannot be.

    `figure` is what of its card is logged.
    """
    try:
        async with transaction(sessions) as session:
            if not await is_due(session, now=now):
                return None
        model = await challenge(sessions, now=now)
    except DomainError as error:
        log.warning("not_trained", kind=kind, error=error.detail)
        return None
    log.info("trained", model=name_of(model), state=model.state, **{figure: model.card[figure]})
    return model


async def retrain_daily(
    sessions: Sessions, stop: asyncio.Event, trainings: Sequence[Callable[..., Awaitable[Model | None]]]
) -> None:
    """Look every few minutes whether a training of some is due, until told to stop."""
    while not await wait(stop, CHECK_SECONDS):
        for training in trainings:
            try:
                await training(sessions, now=utc_now())
            except Exception:
                # A training that fails is a change to be made; the stream beside it is not to end for it.
                log.exception("training_failed")
