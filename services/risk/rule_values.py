"""Numbers that are policy, as they stood on a date: what is inspected, what models are judged by, exchange rates."""

import time
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.channels import Policy
from services.risk.models import RuleValue
from services.risk.money import minor_units
from shared.errors import NotFound

FRESH_SECONDS = 2.0


class NoSuchRule(NotFound):
    """A rule has no value on the date asked for."""


class RuleValues:
    """The dated values, read again every few seconds: a change holds within `FRESH_SECONDS`."""

    def __init__(self) -> None:
        self._until = 0.0
        self._rows: Sequence[RuleValue] = ()
        self._of: dict[date, Mapping[str, float]] = {}

    async def refresh(self, session: AsyncSession) -> None:
        """Read the values again if they are no longer fresh."""
        if self._until < time.monotonic():
            self._rows = (await session.execute(select(RuleValue).order_by(RuleValue.valid_from))).scalars().all()
            self._until = time.monotonic() + FRESH_SECONDS
            self._of = {}

    def on(self, day: date) -> Mapping[str, float]:
        """Return the values of a day by name."""
        known = self._of.get(day)
        if known is None:
            known = self._of[day] = {
                row.name: row.value
                for row in self._rows
                if row.valid_from <= day and (row.valid_to is None or day < row.valid_to)
            }
        return known

    def policy(self, day: date) -> Policy:
        """Return how declarations are channelled on a day. Raises NoSuchRule."""
        values = self.on(day)
        try:
            return Policy(
                values["declarations.inspected_share"],
                int(values["declarations.daily_cap"]),
                values["declarations.exploration_share"],
                values["declarations.document_share"],
                int(values["declarations.history_days"]),
            )
        except KeyError as error:
            raise NoSuchRule(f"rule {error} has no value on {day}") from error

    def comparable(self, value_minor: int, currency: str, day: date) -> float | None:
        """Return an amount in the currency that all are compared in; None where the day has no rate."""
        rate = self.on(day).get(f"exchange.{currency}")
        return None if rate is None else round(value_minor / minor_units(currency) * rate, 2)
