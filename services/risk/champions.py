"""The model that scores now: read from the database, taken over within seconds when another is adopted."""

import asyncio
import time
from typing import Any

import msgspec
import numpy as np
import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.boosting import Floats
from services.risk.models import Model
from services.risk.triage import Lookups, Triage
from shared.errors import Invalid, Unavailable

log = structlog.get_logger(__name__)

FRESH_SECONDS = 2.0
RULES = "rules"
KIND = "declarations"
_QUANTILES = 1_001


class Champion:
    """What scores declarations in this process: the adopted model, or the rules where there is none to be used.

    A model that cannot be used is refused once, with an error in the log; what scored before goes on.
    """

    def __init__(self) -> None:
        self.triage = Triage()
        self.name = RULES
        # Its own scores of the time held back, sorted: what is compared with while it has given few.
        self.reference: Floats = np.empty(0)
        self._until = 0.0
        self._seen: int | None = None

    async def refresh(self, session: AsyncSession) -> None:
        """Take over a model that was adopted since."""
        if time.monotonic() < self._until:
            return
        self._until = time.monotonic() + FRESH_SECONDS
        model = await adopted_since(session, KIND, self._seen)
        if model is None:
            return
        self._seen = model.version
        try:
            # Reading the trees takes a while in which the consumer should go on answering the broker.
            self.triage = await asyncio.to_thread(restored, model)
        except (Invalid, Unavailable) as error:
            log.error("model_refused", model=name_of(model), error=str(error), goes_on_with=self.name)  # noqa: TRY400
            return
        self.name, self.reference = name_of(model), np.sort(np.array(model.scores, dtype=np.float64))
        log.info("model_taken", model=self.name)


def name_of(model: Model) -> str:
    """Return what a model is called beside a score."""
    return f"{model.kind}/{model.version}"


def restored(model: Model) -> Triage:
    """Return a stored model, ready to score. Raises Invalid and Unavailable."""
    try:
        lookups = msgspec.convert(model.lookups, Lookups)
        trees = model.trees.decode()
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Invalid(f"the stored model cannot be read: {error}") from error
    return Triage.restored(trees, model.features, lookups)


async def champion(session: AsyncSession, kind: str = KIND) -> Model | None:
    """Return the adopted model of a kind, if there is one."""
    statement: Any = select(Model).where(Model.kind == kind, Model.state == "champion")
    found: Model | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def adopted_since(session: AsyncSession, kind: str, seen: int | None) -> Model | None:
    """Return the adopted model of a kind where it is another version than was seen."""
    version = await adopted_version(session, kind)
    return None if version in (None, seen) else await champion(session, kind)


async def adopted_version(session: AsyncSession, kind: str) -> int | None:
    """Return the version of the adopted model of a kind, without the model; None where there is none."""
    adopted = select(Model.version).where(Model.kind == kind, Model.state == "champion")
    version: int | None = (await session.execute(adopted)).scalar_one_or_none()
    return version


async def newest(session: AsyncSession, kind: str) -> Model | None:
    """Return the model of a kind that was trained last."""
    statement = select(Model).where(Model.kind == kind).order_by(Model.version.desc()).limit(1)
    found: Model | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def store(session: AsyncSession, model: Model, *, retires: bool) -> Model:
    """Store a trained model as the next version of its kind; the champion goes where it `retires` it."""
    version = select(func.coalesce(func.max(Model.version), 0)).where(Model.kind == model.kind)
    model.version = (await session.execute(version)).scalar_one() + 1
    if retires:
        adopted = (Model.kind == model.kind, Model.state == "champion")
        await session.execute(update(Model).where(*adopted).values(state="retired"))
    session.add(model)
    return model


def quantiles(scores: Floats) -> list[float]:
    """Return scores at even steps, as a model's row has them."""
    return [float(one) for one in np.quantile(scores, np.linspace(0, 1, _QUANTILES))]
