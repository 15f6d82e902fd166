"""Periods that run out: when they end, and what pauses, extends or stops them. Pure.

As in the Civil Code of China, arts. 200 to 204: the day a period begins is not counted, a month ends on the day of the
same number or on its last, a last day on which nobody works moves to the next working day, and the last day ends at its
midnight where the jurisdiction is. A day that ends while the clock stands is not counted. A period in hours begins at
once (art. 201), is over on the instant and does not move; while the clock stands none is counted.
"""

import calendar as months
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from shared.calendars import Calendar
from shared.errors import Conflict, Invalid

Unit = Literal["hours", "calendar_days", "working_days", "months"]
State = Literal["running", "paused", "met", "expired"]
ActKind = Literal["paused", "resumed", "extended", "met", "expired"]

_DAY = timedelta(days=1)
_LONGEST: dict[Unit, int] = {"hours": 20_000, "calendar_days": 11_000, "working_days": 7_500, "months": 360}


class ClockIsOver(Conflict):
    """The period has run out, or what it was for was done."""

    code = "clock_is_over"


class WrongAct(Conflict):
    """A clock that runs cannot be resumed, nor one that stands be paused."""

    code = "wrong_act"


class OutOfOrder(Invalid):
    """An act is dated before the one it follows."""

    code = "act_out_of_order"


class WrongPeriod(Invalid):
    """A period has at least one day, and an extension the unit of what it extends."""

    code = "wrong_period"


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something done to a clock, with who did it and why; of an extension by how much, of a proof what shows it."""

    kind: ActKind
    at: datetime
    by: str
    because: str = ""
    amount: int = 0
    evidence: str | None = None


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """A period that began at an instant, and all that was done to it since."""

    jurisdiction: str
    started_at: datetime
    amount: int
    unit: Unit
    # Whether a last day on which nobody works moves; where a law says otherwise, it does not.
    moves: bool = True
    acts: tuple[Act, ...] = ()

    @property
    def state(self) -> State:
        """Return what the last act left."""
        after: dict[ActKind, State] = {"paused": "paused", "met": "met", "expired": "expired"}
        return after.get(self.acts[-1].kind, "running") if self.acts else "running"


class Due(NamedTuple):
    """The last day of a period and the instant it has run out at; provisional while holidays are not announced."""

    last_day: date
    at: datetime
    is_provisional: bool


def begin(calendar: Calendar, *, at: datetime, amount: int, unit: Unit, moves: bool = True) -> Clock:
    """Return a clock that has just begun. Raises WrongPeriod."""
    _check_amount(amount, unit)
    return Clock(jurisdiction=calendar.jurisdiction, started_at=at, amount=amount, unit=unit, moves=moves)


def due(clock: Clock, calendar: Calendar) -> Due | None:
    """Return when a clock ends; None while it stands, since nobody knows for how long."""
    if clock.state == "paused":
        return None
    if not clock.acts and clock.unit != "hours":
        return _undisturbed(calendar, calendar.day_of(clock.started_at), clock.amount, clock.unit, moves=clock.moves)
    amount = clock.amount + sum(act.amount for act in clock.acts if act.kind == "extended")
    if clock.unit == "hours":
        at = clock.started_at + timedelta(hours=amount) + _stood(clock)
        return Due(calendar.day_of(at), at, is_provisional=False)
    first = calendar.day_of(clock.started_at)
    return _full(calendar, first, amount, clock.unit, moves=clock.moves, stands=_standing(clock, calendar))


def pause(clock: Clock, calendar: Calendar, *, at: datetime, by: str, because: str) -> Clock:
    """Let a clock stand. Raises ClockIsOver, WrongAct, OutOfOrder."""
    _check_runs(clock, calendar, at)
    return _with(clock, Act(kind="paused", at=at, by=by, because=because))


def resume(clock: Clock, *, at: datetime, by: str, because: str = "") -> Clock:
    """Let a clock run on. Raises ClockIsOver, WrongAct, OutOfOrder."""
    _check_order(clock, at)
    if clock.state != "paused":
        raise WrongAct("only a clock that stands can be resumed")
    return _with(clock, Act(kind="resumed", at=at, by=by, because=because))


def extend(clock: Clock, calendar: Calendar, *, at: datetime, amount: int, by: str, because: str) -> Clock:
    """Give a clock more of its own unit. Raises ClockIsOver, WrongAct, OutOfOrder, WrongPeriod."""
    _check_runs(clock, calendar, at)
    whole = clock.amount + sum(act.amount for act in clock.acts) + amount
    _check_amount(amount, clock.unit, whole)
    return _with(clock, Act(kind="extended", at=at, by=by, because=because, amount=amount))


def meet(clock: Clock, calendar: Calendar, *, at: datetime, by: str, evidence: str) -> Clock:
    """Stop a clock because what it was for was done; the evidence stays with it. Raises ClockIsOver, OutOfOrder."""
    _check_order(clock, at)
    ends = due(clock, calendar)
    if ends is not None and at >= ends.at:
        raise ClockIsOver(f"the period ran out at {ends.at.isoformat()}")
    return _with(clock, Act(kind="met", at=at, by=by, evidence=evidence))


def close(clock: Clock, *, at: datetime, evidence: str) -> Clock:
    """Stop a clock that nobody waits for any more, run out or not: what it was for has come, or its subject is gone.

    Raises ClockIsOver, OutOfOrder.
    """
    _check_order(clock, at)
    return _with(clock, Act(kind="met", at=at, by="clock", evidence=evidence))


def expire(clock: Clock, calendar: Calendar) -> Clock:
    """End a clock that has run out, at the instant it did. Raises ClockIsOver, WrongAct."""
    ends = due(clock, calendar)
    if ends is None:
        raise WrongAct("a clock that stands does not run out")
    if clock.state != "running":
        raise ClockIsOver(f"the clock is over: {clock.state}")
    return _with(clock, Act(kind="expired", at=ends.at, by="clock"))


def _with(clock: Clock, act: Act) -> Clock:
    return msgspec.structs.replace(clock, acts=(*clock.acts, act))


def _check_amount(amount: int, unit: Unit, whole: int | None = None) -> None:
    if amount < 1 or (whole or amount) > _LONGEST[unit]:
        raise WrongPeriod(f"a period has 1 to {_LONGEST[unit]} {unit.replace('_', ' ')}")


def _check_order(clock: Clock, at: datetime) -> None:
    if clock.state in ("met", "expired"):
        raise ClockIsOver(f"the clock is over: {clock.state}")
    before = clock.acts[-1].at if clock.acts else clock.started_at
    if at < before:
        raise OutOfOrder(f"{at.isoformat()} is before {before.isoformat()}, when the clock was last touched")


def _check_runs(clock: Clock, calendar: Calendar, at: datetime) -> None:
    _check_order(clock, at)
    ends = due(clock, calendar)
    if ends is None:
        raise WrongAct("the clock stands")
    if at >= ends.at:
        raise ClockIsOver(f"the period ran out at {ends.at.isoformat()}")


def _stood(clock: Clock) -> timedelta:
    """Return for how long a clock stood."""
    stood, since = timedelta(), clock.started_at
    for act in clock.acts:
        if act.kind == "paused":
            since = act.at
        elif act.kind == "resumed":
            stood += act.at - since
    return stood


def _standing(clock: Clock, calendar: Calendar) -> Callable[[date], bool]:
    """Return what tells whether a clock stood when a day ended."""
    spans: list[tuple[date, date]] = []
    since: date | None = None
    for act in clock.acts:
        if act.kind == "paused":
            since = calendar.day_of(act.at)
        elif act.kind == "resumed" and since is not None:
            spans.append((since, calendar.day_of(act.at)))
    return (lambda day: any(first <= day < until for first, until in spans)) if spans else _never


def _never(_: date) -> bool:
    return False


# Thousands of clocks begin on one day and end on one other.
@lru_cache(maxsize=10_000)
def _undisturbed(calendar: Calendar, first: date, amount: int, unit: Unit, *, moves: bool) -> Due:
    """Return when a period ends that nothing was done to."""
    return _full(calendar, first, amount, unit, moves=moves, stands=_never)


def _full(
    calendar: Calendar, first: date, amount: int, unit: Unit, *, moves: bool, stands: Callable[[date], bool]
) -> Due:
    """Return when a period of days is over, the first day not counted."""
    day = _counted(first, amount, unit, calendar, stands)
    while stands(day) or (moves and not calendar.works(day)):
        day += _DAY
    return Due(day, calendar.end_of(day), calendar.is_provisional(day.year))


def _counted(start: date, amount: int, unit: Unit, calendar: Calendar, stands: Callable[[date], bool]) -> date:
    """Return the day that so much is full, the first not counted."""
    left = (_month_later(start, amount) - start).days if unit == "months" else amount
    if stands is _never and unit != "working_days":
        return start + _DAY * left
    day = start
    while left > 0:
        day += _DAY
        if not stands(day) and (unit != "working_days" or calendar.works(day)):
            left -= 1
    return day


def _month_later(day: date, amount: int) -> date:
    month = day.month - 1 + amount
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, months.monthrange(year, month)[1]))
