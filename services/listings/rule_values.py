"""Numbers that are law or policy, as they stood on a date."""

import time
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.matching import Tolerances
from services.listings.models import RuleValue
from shared.errors import NotFound

FRESH_SECONDS = 2.0


class NoSuchRule(NotFound):
    """A rule has no value on the date asked for."""


class Limits:
    """The tolerances in force, read again every few seconds: a change holds within `FRESH_SECONDS`."""

    def __init__(self) -> None:
        self._kept: tuple[float, date, Tolerances] | None = None

    async def tolerances(self, session: AsyncSession, *, on: date) -> Tolerances:
        """Return what documents of a transaction may differ by on a date."""
        if self._kept is None or self._kept[0] < time.monotonic() or self._kept[1] != on:
            self._kept = (time.monotonic() + FRESH_SECONDS, on, await tolerances(session, on=on))
        return self._kept[2]


async def tolerances(session: AsyncSession, *, on: date) -> Tolerances:
    """Return what documents of a transaction may differ by on a date."""
    rows = (await session.execute(select(RuleValue).where(RuleValue.valid_from <= on))).scalars().all()
    values = {
        row.name: row.value
        for row in sorted(rows, key=lambda r: r.valid_from)
        if row.valid_to is None or on < row.valid_to
    }
    try:
        return Tolerances(values["match.amount_tolerance"], values["match.weight_share"])
    except KeyError as error:
        raise NoSuchRule(f"rule {error} has no value on {on}") from error
