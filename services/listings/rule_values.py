"""Numbers that are law or policy, as they stood on a date."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.matching import Tolerances
from services.listings.models import RuleValue
from shared.errors import NotFound


class NoSuchRule(NotFound):
    """A rule has no value on the date asked for."""


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
