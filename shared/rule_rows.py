"""The rows of a service's rule values: read again every few seconds, added to, never overwritten."""

import time
from collections.abc import Mapping
from datetime import date, datetime
from typing import ClassVar, NamedTuple

from sqlalchemy import Date, DateTime, Text, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from shared.errors import Invalid
from shared.rule_values import EVERYWHERE, Applied, Incomparable, NoSuchRule, RuleBook, Value

FRESH_SECONDS = 2.0
_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('rule_values ' || :name))")


class RuleRow:
    """Columns of a table of rule values; each service mixes them into a table of its own."""

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    jurisdiction: Mapped[str] = mapped_column(Text, primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    valid_to: Mapped[date | None] = mapped_column(Date)
    value: Mapped[float]
    unit: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)


class RecordedRuleRow(RuleRow):
    """The same where values are added at a door: by whom, when, why, and what stood before."""

    revision: Mapped[int] = mapped_column(primary_key=True, server_default="1")
    stricter: Mapped[str | None] = mapped_column(Text)
    before: Mapped[float | None]
    because: Mapped[str] = mapped_column(Text, server_default="seed")
    recorded_by: Mapped[str] = mapped_column(Text, server_default="seed")
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Statement(NamedTuple):
    """A value that somebody states for a rule, from a day on."""

    name: str
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    value: float
    source: str
    because: str
    # Said on purpose: it changes what is found about days that are over.
    retroactive: bool


class WrongDay(Invalid):
    """A value would hold on days that are over, or on none."""

    code = "wrong_day"


def as_value(row: RuleRow) -> Value:
    """Return what a row states."""
    own = (row.name, row.jurisdiction, row.valid_from, row.valid_to, row.value, row.unit, row.source)
    if isinstance(row, RecordedRuleRow):
        return Value(*own, row.stricter, row.revision, row.recorded_at)
    return Value(*own)


async def read_book(session: AsyncSession, table: type[RuleRow]) -> RuleBook:
    """Return all values there are."""
    rows = (await session.execute(select(table).order_by(table.name, table.jurisdiction, table.valid_from))).scalars()
    return RuleBook(map(as_value, rows))


class RuleValues:
    """A process's memory of the values: a change holds within `FRESH_SECONDS`. A service names its table."""

    table: ClassVar[type[RuleRow]]

    def __init__(self) -> None:
        self._until = 0.0
        self._book = RuleBook(())
        self._of: dict[tuple[date, str], Mapping[str, float]] = {}
        self._applied: dict[tuple[str, date, str], Applied] = {}

    async def refresh(self, session: AsyncSession) -> None:
        """Read the values again if they are no longer fresh."""
        if self._until < time.monotonic():
            self._book = await read_book(session, self.table)
            self._until = time.monotonic() + FRESH_SECONDS
            self._of, self._applied = {}, {}

    def on(self, day: date, jurisdiction: str = EVERYWHERE) -> Mapping[str, float]:
        """Return the values of a day by name."""
        known = self._of.get((day, jurisdiction))
        if known is None:
            known = self._of[day, jurisdiction] = self._book.on(day, jurisdiction)
        return known

    def apply(self, name: str, *, on: date, jurisdiction: str = EVERYWHERE) -> Applied:
        """Return the value of a rule and those that gave way to it. Raises NoSuchRule, Incomparable."""
        known = self._applied.get((name, on, jurisdiction))
        if known is None:
            known = self._book.apply(name, on=on, jurisdiction=jurisdiction)
            self._applied[name, on, jurisdiction] = known
        return known

    def named(self, *names: str, on: date, jurisdiction: str = EVERYWHERE) -> list[float]:
        """Return the values of some names on a day. Raises NoSuchRule."""
        known = self.on(on, jurisdiction)
        if missing := [name for name in names if name not in known]:
            raise NoSuchRule(f"rule {missing[0]!r} has no value on {on}")
        return [known[name] for name in names]


async def state_value(
    session: AsyncSession, table: type[RecordedRuleRow], stated: Statement, *, by: str, at: datetime
) -> RecordedRuleRow:
    """Add a value of a known rule; what stood before stays. Raises NoSuchRule, WrongDay, Incomparable."""
    await session.execute(_ALONE, {"name": stated.name})
    rows = list((await session.execute(select(table).where(table.name == stated.name))).scalars())
    if not rows:
        raise NoSuchRule(f"there is no rule {stated.name!r}")
    _check_days(stated, at.date())
    if rows[0].stricter is None and stated.jurisdiction not in {row.jurisdiction for row in rows}:
        # Found out when both apply, it would stop whoever asks for a value of that day.
        raise Incomparable(f"rule {stated.name!r} does not say whether higher or lower is stricter")
    place = (stated.jurisdiction, stated.valid_from)
    same = [row for row in rows if (row.jurisdiction, row.valid_from) == place]
    newest = max(same, key=lambda row: row.revision, default=None)
    if newest is not None and (newest.value, newest.valid_to, newest.source) == (
        *(stated.value, stated.valid_to, stated.source),
    ):
        return newest
    added = table()
    for field in ("name", "jurisdiction", "valid_from", "valid_to", "value", "source", "because"):
        setattr(added, field, getattr(stated, field))
    added.unit, added.stricter = rows[0].unit, rows[0].stricter
    added.revision = newest.revision + 1 if newest is not None else 1
    added.before = _before(rows, stated)
    added.recorded_by, added.recorded_at = by, at
    session.add(added)
    await session.flush()
    return added


def _check_days(stated: Statement, today: date) -> None:
    if stated.valid_to is not None and stated.valid_to <= stated.valid_from:
        raise WrongDay("valid_to is the first day after the last, so later than valid_from", pointer="/body/valid_to")
    if stated.valid_from < today and not stated.retroactive:
        raise WrongDay(
            f"{stated.valid_from} is over; a value that changes days that are over says `retroactive`",
            pointer="/body/valid_from",
        )


def _before(rows: list[RecordedRuleRow], stated: Statement) -> float | None:
    own = RuleBook(as_value(row) for row in rows if row.jurisdiction == stated.jurisdiction)
    try:
        return own.apply(stated.name, on=stated.valid_from, jurisdiction=stated.jurisdiction).value.value
    except NoSuchRule:
        return None
