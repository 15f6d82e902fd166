"""The model that scores now: read from the database, taken over within seconds when another is adopted."""

import asyncio
import time
from typing import Any

import msgspec
import numpy as np
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.boosting import Floats
from services.risk.models import Model
from services.risk.triage import Lookups, Triage
from shared.errors import Invalid, Unavailable

log = structlog.get_logger(__name__)

FRESH_SECONDS = 2.0
RULES = "rules"
KIND = "declarations"


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
        adopted = select(Model.version).where(Model.kind == KIND, Model.state == "champion")
        version = (await session.execute(adopted)).scalar_one_or_none()
        if version is None or version == self._seen:
            return
        self._seen = version
        statement = select(Model).where(Model.kind == KIND, Model.version == version)
        model = (await session.execute(statement)).scalar_one()
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


async def champion(session: AsyncSession) -> Model | None:
    """Return the adopted model, if there is one."""
    statement: Any = select(Model).where(Model.kind == KIND, Model.state == "champion")
    found: Model | None = (await session.execute(statement)).scalar_one_or_none()
    return found
