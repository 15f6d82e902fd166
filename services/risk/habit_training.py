"""Models of habits: learnt daily from the acts that were kept, adopted where their chances come true."""

import asyncio
import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import champions, feature_log, habits, judging
from services.risk.boosting import Floats
from services.risk.champions import FRESH_SECONDS, name_of
from services.risk.habits import Acts, Checked, Habit
from services.risk.models import Model
from services.risk.rule_values import RuleValues
from services.risk.training import EVERY, alone
from shared.database import Sessions, transaction
from shared.errors import DomainError, Invalid

log = structlog.get_logger(__name__)

KIND = "habits"
STREAM = "activity"
NOBODY = "nothing"
# The newest so many rows are learnt from.
_MOST = 2_000_000
_COLUMNS = ("kind", "value_minor", "usual_value_minor")


class TooFewActs(Invalid):
    """There is too little to learn habits from."""


class Terms(NamedTuple):
    """By which numbers of rule_values.csv a challenger is judged."""

    held_back_share: float
    least_acts: int
    most_error: float


class Trained(NamedTuple):
    """A challenger with its card and what it says of the acts held back."""

    habits: dict[str, Habit]
    card: dict[str, Any]
    scores: Floats
    adopted: bool


class Known:
    """The habits that score in this process: none until a model is adopted, then within seconds the adopted one."""

    def __init__(self) -> None:
        self.habits: dict[str, Habit] = {}
        self._until = 0.0
        self._seen: int | None = None

    async def refresh(self, session: AsyncSession) -> None:
        """Take over a model that was adopted since; one that cannot be read is refused once, with an error."""
        if time.monotonic() < self._until:
            return
        self._until = time.monotonic() + FRESH_SECONDS
        model = await champions.adopted_since(session, KIND, self._seen)
        if model is None:
            return
        self._seen = model.version
        try:
            self.habits = restored(model)
        except Invalid as error:
            log.error("model_refused", model=name_of(model), error=error.detail)  # noqa: TRY400 - no fault of ours
            return
        log.info("model_taken", model=name_of(model))


def restored(model: Model) -> dict[str, Habit]:
    """Return a stored model. Raises Invalid."""
    if tuple(model.features) != habits.KINDS:
        raise Invalid(f"the model is of other kinds: {', '.join(sorted(set(model.features) ^ set(habits.KINDS)))}")
    try:
        return msgspec.msgpack.decode(model.trees, type=dict[str, Habit])
    except (msgspec.MsgspecError, ValueError) as error:
        raise Invalid(f"the stored model cannot be read: {error}") from error


async def challenge(sessions: Sessions, *, now: datetime) -> Model:
    """Learn habits from all but the newest acts, hold them against these, store them; adopt them if they come truer.

    Raises TooFewActs and TrainingUnderWay.
    """
    async with transaction(sessions) as session:
        await alone(session)
        terms = await _terms(session, now.date())
        frame = await feature_log.newest(session, STREAM, _MOST, _COLUMNS)
        incumbent = await champions.champion(session, KIND)
        trained = await asyncio.to_thread(_trained, frame, incumbent, terms)
        async with transaction(sessions) as writing:
            return await _store(writing, trained, now)


async def retrain(sessions: Sessions, *, now: datetime) -> Model | None:
    """Learn if the last time is a day ago, and return the model; None where it is not, or there is too little."""
    async with transaction(sessions) as session:
        last = await champions.newest(session, KIND)
    if last is not None and now - last.created_at < EVERY:
        return None
    try:
        model = await challenge(sessions, now=now)
    except DomainError as error:
        log.info("not_trained", kind=KIND, error=error.detail)
        return None
    log.info("trained", model=name_of(model), state=model.state, error=model.card["error"])
    return model


async def _terms(session: AsyncSession, on: date) -> Terms:
    values = RuleValues()
    await values.refresh(session)
    share, least, most_error = values.named("habits.held_back_share", "habits.least_acts", "habits.most_error", on=on)
    return Terms(share, int(least), most_error)


def _trained(frame: pl.DataFrame, incumbent: Model | None, terms: Terms) -> Trained:
    frame = frame.filter(pl.col("kind").is_in(habits.KINDS) & pl.col("value_minor").is_not_null())
    if frame.height < terms.least_acts:
        raise TooFewActs(f"{frame.height:,} acts with a value are kept, {terms.least_acts:,} are needed")
    late = round(frame.height * terms.held_back_share)
    before, after = (habits.acts_of(part) for part in (frame.head(frame.height - late), frame.tail(late)))
    learnt = habits.learnt(before)
    own = habits.checked(learnt, after)
    name, former = _former(incumbent, after)
    bound = terms.most_error if former is None else former.error
    card = {
        "trained": {"acts": len(before.kinds), "of_kinds": _counts(before.kinds)},
        "held_back": {"acts": len(after.kinds)},
        "observed": own.observed,
        "error": own.error,
        "incumbent": name,
        "incumbent_error": None if former is None else former.error,
        "drift": _drift(before, after),
    }
    return Trained(learnt, card, habits.improbability(learnt, after), own.error <= bound)


def _former(incumbent: Model | None, acts: Acts) -> tuple[str, Checked | None]:
    if incumbent is None:
        return NOBODY, None
    try:
        return name_of(incumbent), habits.checked(restored(incumbent), acts)
    except Invalid as error:
        log.warning("incumbent_refused", model=name_of(incumbent), error=error.detail)
        return NOBODY, None


def _counts(kinds: Sequence[str]) -> dict[str, int]:
    return {kind: kinds.count(kind) for kind in habits.KINDS}


def _drift(before: Acts, after: Acts) -> dict[str, float]:
    """Return how far amounts moved between what was learnt from and what was held back, by kind."""
    found = {}
    for kind in habits.KINDS:
        (_, early, _), (_, late, _) = before.of(kind), after.of(kind)
        if len(early) and len(late):
            found[kind] = round(judging.stability_index(early, late, is_category=False), 4)
    return found


async def _store(session: AsyncSession, trained: Trained, now: datetime) -> Model:
    known = trained.scores[np.isfinite(trained.scores)]
    model = Model(
        kind=KIND,
        state="champion" if trained.adopted else "candidate",
        trees=msgspec.msgpack.encode(trained.habits),
        features=list(habits.KINDS),
        lookups={},
        scores=champions.quantiles(known) if len(known) else [],
        trained_from=now.date(),
        trained_to=now.date(),
        outcomes=trained.card["trained"]["acts"],
        violations=0,
        card=trained.card,
        created_at=now,
        adopted_at=now if trained.adopted else None,
    )
    return await champions.store(session, model, retires=trained.adopted)
