"""Numbers that are law or policy, as they stood on a date: how agreements between operators are weighed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.linking import REASONS, Policy
from services.identity.models import RuleValue
from shared.errors import NotFound

PolicyOn = Callable[[date], Policy]
_PREFIX = "links."


class NoSuchRule(NotFound):
    """A rule has no value on the date asked for."""


async def read_policies(session: AsyncSession) -> PolicyOn:
    """Return how links are weighed on any day. What it returns raises NoSuchRule."""
    statement = select(RuleValue).where(RuleValue.name.startswith(_PREFIX), RuleValue.jurisdiction == "*")
    rows = (await session.execute(statement.order_by(RuleValue.valid_from))).scalars().all()
    known: dict[date, Policy] = {}

    def policy_on(day: date) -> Policy:
        if day not in known:
            known[day] = policy(values_on(rows, day))
        return known[day]

    return policy_on


def values_on(rows: Sequence[RuleValue], day: date) -> dict[str, float]:
    """Return the values that hold on a day by name; of two that do, the one that began last."""
    return {
        row.name: row.value for row in rows if row.valid_from <= day and (row.valid_to is None or day < row.valid_to)
    }


def policy(values: Mapping[str, float]) -> Policy:
    """Return how links are weighed by these values. Raises NoSuchRule."""

    def named(name: str) -> float:
        if (found := values.get(_PREFIX + name)) is None:
            raise NoSuchRule(f"rule {_PREFIX + name!r} has no value")
        return found

    return Policy(
        agreement={kind: named(f"m.{kind}") for kind in REASONS},
        chance={kind: values[f"{_PREFIX}u.{kind}"] for kind in REASONS if f"{_PREFIX}u.{kind}" in values},
        common_at=named("common_at"),
        threshold=named("threshold"),
        most_holders=int(named("most_holders")),
        most_in_band=int(named("most_in_band")),
        near_name=named("near.name"),
        near_address=named("near.address"),
    )
