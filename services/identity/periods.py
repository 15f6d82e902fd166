"""Periods that a dated rule sets: a clock that runs by the value of the day it began on."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.rule_values import OF_THE_LAW, RuleValues
from shared import clock_store, clocks
from shared.calendars import NoCalendar, calendar_of
from shared.clock_store import About, ClockRow
from shared.clocks import ClockIsOver, Unit
from shared.database import kept
from shared.rule_values import Value


class Period(NamedTuple):
    """When a period ends, and the value it came from."""

    due_at: datetime
    rule: Value


class Extension(NamedTuple):
    """How much more of its own unit a period gets, from whom, why, and when."""

    amount: int
    by: str
    because: str
    at: datetime


async def begin(
    session: AsyncSession, about: About, rule: str, *, at: datetime, jurisdiction: str = OF_THE_LAW
) -> Period:
    """Begin a clock, once for each id, and return when it ends. Raises NoSuchRule before its law."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    value = values.apply(rule, on=at.date(), jurisdiction=jurisdiction).value
    try:
        calendar = calendar_of(jurisdiction)
    except NoCalendar:
        calendar = calendar_of(OF_THE_LAW)
    clock = clocks.begin(calendar, at=at, amount=round(value.value), unit=cast("Unit", value.unit))
    content = {**about.content, "rule": rule, "source": value.source}
    await clock_store.start(session, About(about.id, about.kind, about.subject, about.platform_id, content), clock)
    ends = clocks.due(clock, calendar)
    assert ends is not None, "a clock that has just begun does not stand"
    return Period(ends.at, value)


async def stop(session: AsyncSession, subject: UUID, kinds: Iterable[str], *, at: datetime, evidence: str) -> None:
    """Stop the clocks of a subject that still run: what they waited for has come."""
    for kind in kinds:
        for row in await clock_store.running(session, subject, kind):
            step = partial(clocks.close, at=_not_before(row, at), evidence=evidence)
            await clock_store.change(session, row.id, step)


async def extend(session: AsyncSession, subject: UUID, kind: str, given: Extension) -> datetime:
    """Give the clock of a subject more time, and return when it ends. Raises ClockIsOver, WrongPeriod."""
    ends = None
    for row in await clock_store.running(session, subject, kind):
        own = given._replace(at=_not_before(row, given.at))
        step = partial(clocks.extend, calendar=calendar_of(clock_store.read(row).jurisdiction), **own._asdict())
        ends = (await clock_store.change(session, row.id, step)).due_at
    if ends is None:
        raise ClockIsOver("the period is over")
    return ends


def _not_before(row: ClockRow, at: datetime) -> datetime:
    """Return a moment that is not before what was last done to a clock: streams are not always at one time."""
    clock = clock_store.read(row)
    return max(at, clock.acts[-1].at if clock.acts else clock.started_at)
