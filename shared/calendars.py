"""Working days and time zones of jurisdictions: public holidays, make-up working days, and when a day ends there."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

from shared.errors import Invalid

_ANNOUNCED = Path(__file__).with_name("working_days.csv")
_ZONES = Path(__file__).with_name("zones.csv")
# Where weekends are made up for by a notice each year: until it is out, the year is only what statutes say.
_BY_NOTICE = frozenset({"CN"})
_FIRST_YEAR, _LAST_YEAR = 1990, 2099


class NoCalendar(Invalid):
    """Nothing is known of a jurisdiction's days, or of such a year."""

    code = "no_calendar"


class _Year(NamedTuple):
    closed: frozenset[date]
    made_up: frozenset[date]
    weekend: frozenset[int]


class Calendar:
    """One jurisdiction's days. What is `announced` of single days goes before what is computed."""

    def __init__(self, jurisdiction: str, announced: Mapping[date, bool] | None = None) -> None:
        self.jurisdiction = jurisdiction
        self.zone = _zone(jurisdiction)
        self._announced = _announced().get(jurisdiction, {}) if announced is None else announced

    def works(self, day: date) -> bool:
        """Tell whether people work on a day. Raises NoCalendar."""
        if (told := self._announced.get(day)) is not None:
            return told
        year = _year(self.jurisdiction, day.year)
        if day.weekday() in year.weekend:
            return day in year.made_up
        return day not in year.closed

    def is_provisional(self, year: int) -> bool:
        """Tell whether a year's holidays are still to be announced: its made-up weekends are not known yet."""
        if self.jurisdiction not in _BY_NOTICE or any(day.year == year for day in self._announced):
            return False
        return not any(day.year == year for day in _year(self.jurisdiction, year).made_up)

    def day_of(self, instant: datetime) -> date:
        """Return the day that an instant is in there."""
        return instant.astimezone(self.zone).date()

    def end_of(self, day: date) -> datetime:
        """Return the instant a day ends at there, in UTC: it is no part of the day any more."""
        return datetime.combine(day + timedelta(days=1), time.min, tzinfo=self.zone).astimezone(UTC)


@lru_cache(maxsize=256)
def calendar_of(jurisdiction: str) -> Calendar:
    """Return the days of a country. Raises NoCalendar."""
    return Calendar(jurisdiction)


@lru_cache(maxsize=4_096)
def _year(jurisdiction: str, year: int) -> _Year:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise NoCalendar(f"no holidays are known of {year}")
    try:
        # The neighbours too: a weekend of December may make up for a day off in January.
        found = holidays.country_holidays(jurisdiction, years=(year - 1, year, year + 1), expand=False)
    except NotImplementedError as error:
        raise NoCalendar(f"no holidays are known of {jurisdiction!r}") from error
    return _Year(frozenset(found), frozenset(found.weekend_workdays), frozenset(found.weekend))


def _zone(jurisdiction: str) -> ZoneInfo:
    name = _zones().get(jurisdiction)
    if name is None:
        raise NoCalendar(f"no time zone is known of {jurisdiction!r}")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zones() -> Mapping[str, str]:
    with _ZONES.open(newline="", encoding="utf-8") as file:
        return {row["jurisdiction"]: row["zone"] for row in csv.DictReader(file)}


@lru_cache(maxsize=1)
def _announced() -> Mapping[str, Mapping[date, bool]]:
    """Return the single days of `working_days.csv`: what the library lacks."""
    days: dict[str, dict[date, bool]] = defaultdict(dict)
    with _ANNOUNCED.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            days[row["jurisdiction"]][date.fromisoformat(row["day"])] = row["works"] == "1"
    return days
