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
        names = ("inspected_share", "daily_cap", "exploration_share", "document_share", "history_days")
        inspected, cap, exploration, documents, days = self.named(*(f"declarations.{name}" for name in names), on=day)
        return Policy(inspected, int(cap), exploration, documents, int(days))

    def named(self, *names: str, on: date) -> list[float]:
        """Return the values of some names on a day. Raises NoSuchRule."""
        known = self.on(on)
        if missing := [name for name in names if name not in known]:
            raise NoSuchRule(f"rule {missing[0]!r} has no value on {on}")
        return [known[name] for name in names]

    def comparable(self, value_minor: int, currency: str, day: date) -> float | None:
        """Return an amount in the currency that all are compared in; None where the day has no rate."""
        rate = self.on(day).get(f"exchange.{currency}")
        return None if rate is None else round(value_minor / minor_units(currency) * rate, 2)
