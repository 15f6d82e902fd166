"""Values that hold from a date on in a jurisdiction: which applies, and which gave way to the stricter. Pure."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from shared.errors import Conflict, NotFound

EVERYWHERE = "*"
DIRECTIONS = ("higher", "lower")

_UNIONS = Path(__file__).with_name("unions.csv")


class NoSuchRule(NotFound):
    """A rule has no value on the date and in the jurisdiction asked for."""

    code = "no_such_rule"


class Incomparable(Conflict):
    """Several values of a rule apply, and nothing says which of them is the stricter."""

    code = "rule_values_incomparable"


class Value(NamedTuple):
    """A number that is law or policy. `valid_to` is the first day that it holds no more.

    `stricter` says whether a higher or a lower number asks for more. A later `revision` of the same first day takes
    the place of the earlier one, which stays for those who ask what was known before.
    """

    name: str
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    value: float
    unit: str
    source: str
    stricter: str | None = None
    revision: int = 1
    recorded_at: datetime | None = None


class Applied(NamedTuple):
    """The value that applies, and the others that would have, had it not been stricter or nearer."""

    value: Value
    gave_way: tuple[Value, ...] = ()


class RuleBook:
    """All values of a service, for any date."""

    def __init__(self, values: Iterable[Value]) -> None:
        self._of: dict[str, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
        for value in values:
            self._of[value.name][value.jurisdiction].append(value)

    def __contains__(self, name: str) -> bool:
        """Tell whether a rule has any value at all."""
        return name in self._of

    def of(self, name: str) -> list[Value]:
        """Return every value a rule ever had, in whatever jurisdiction."""
        return [value for values in self._of.get(name, {}).values() for value in values]

    def apply(
        self, name: str, *, on: date, jurisdiction: str = EVERYWHERE, known_at: datetime | None = None
    ) -> Applied:
        """Return the strictest of the values that apply. Raises NoSuchRule, Incomparable.

        The general value, the country's own and those of unions it is in all apply. With `known_at`, values recorded
        later are left aside: what a case was decided by stays what it was.
        """
        rows = self._of.get(name)
        if rows is None:
            raise NoSuchRule(f"there is no rule {name!r}")
        scopes = (jurisdiction, *unions_of(jurisdiction, on), EVERYWHERE)
        found = [_current(rows.get(scope, ()), on, known_at) for scope in dict.fromkeys(scopes)]
        applying = [value for value in found if value is not None]
        if not applying:
            raise NoSuchRule(f"rule {name!r} has no value for {jurisdiction} on {on}")
        return _strictest(applying)

    def on(self, day: date, jurisdiction: str = EVERYWHERE) -> Mapping[str, float]:
        """Return the values of a day by name, of all rules that have one. Raises Incomparable."""
        known: dict[str, float] = {}
        for name in self._of:
            try:
                known[name] = self.apply(name, on=day, jurisdiction=jurisdiction).value.value
            except NoSuchRule:
                continue
        return known


def _current(values: Sequence[Value], on: date, known_at: datetime | None) -> Value | None:
    """Return what one jurisdiction says on a day: the newest revision of the latest beginning that still holds."""
    newest: dict[date, Value] = {}
    for value in values:
        if known_at is not None and value.recorded_at is not None and value.recorded_at > known_at:
            continue
        known = newest.get(value.valid_from)
        if known is None or known.revision < value.revision:
            newest[value.valid_from] = value
    holding = [v for v in newest.values() if v.valid_from <= on and (v.valid_to is None or on < v.valid_to)]
    return max(holding, key=lambda value: value.valid_from, default=None)


def _strictest(applying: Sequence[Value]) -> Applied:
    """Return the strictest; of equal ones the first, which is the nearest."""
    first = applying[0]
    if all(value.value == first.value and value.unit == first.unit for value in applying):
        return Applied(first, tuple(applying[1:]))
    directions = {value.stricter for value in applying if value.stricter is not None}
    where = ", ".join(f"{value.jurisdiction} {value.value:g} {value.unit}" for value in applying)
    if len({value.unit for value in applying}) > 1:
        raise Incomparable(f"values of rule {first.name!r} have several units: {where}")
    if len(directions) != 1:
        raise Incomparable(f"rule {first.name!r} does not say whether higher or lower is stricter: {where}")
    asks_for_most = max if directions == {"higher"} else min
    winner = asks_for_most(applying, key=lambda value: value.value)
    return Applied(winner, tuple(value for value in applying if value is not winner))


@lru_cache(maxsize=4_096)
def unions_of(country: str, on: date) -> tuple[str, ...]:
    """Return the unions a country is in on a day, such as the EU."""
    return tuple(
        union
        for union, since, until in _memberships().get(country, ())
        if since <= on and (until is None or on < until)
    )


@lru_cache(maxsize=1)
def _memberships() -> Mapping[str, list[tuple[str, date, date | None]]]:
    members: dict[str, list[tuple[str, date, date | None]]] = defaultdict(list)
    with _UNIONS.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            until = date.fromisoformat(row["valid_to"]) if row["valid_to"] else None
            members[row["member"]].append((row["union"], date.fromisoformat(row["valid_from"]), until))
    return members
