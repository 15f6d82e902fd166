"""What inspections found of like goods, and what headings are usually worth: counts in the database, right for all.

The sums are changed in the transaction of the batch that changes them, so that they are the same whoever applied what,
and are looked up as of a day: an outcome counts from the day after it was known, as in `declarations.History`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.boosting import Floats
from services.risk.declarations import LEAST_DELAY_DAYS, LIKENESS, NEVER, Counts, Keys, describe
from services.risk.triage import Earlier
from shared.database import driver

ALL = "all"

_ADD = """
    INSERT INTO likeness_counts (likeness, key, counts_from, inspections, violations)
    SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::bigint[], $5::bigint[])
    ON CONFLICT (likeness, key, counts_from) DO UPDATE SET
        inspections = likeness_counts.inspections + excluded.inspections,
        violations = likeness_counts.violations + excluded.violations
"""
_KNOWN = """
    SELECT x.n, sum(c.inspections)::bigint AS inspections, sum(c.violations)::bigint AS violations
    FROM unnest($1::text[], $2::text[], $3::date[]) WITH ORDINALITY AS x (likeness, key, day, n)
    JOIN likeness_counts c ON c.likeness = x.likeness AND c.key = x.key AND c.counts_from <= x.day
    GROUP BY x.n
"""
_ADD_VALUES = """
    INSERT INTO heading_values (heading, declared, log_value_per_kg)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::float8[])
    ON CONFLICT (heading) DO UPDATE SET declared = heading_values.declared + excluded.declared,
        log_value_per_kg = heading_values.log_value_per_kg + excluded.log_value_per_kg
"""
_VALUES = "SELECT heading, declared, log_value_per_kg FROM heading_values WHERE heading = ANY ($1::text[])"

# A likeness, the goods that are alike in it, and a day.
Place = tuple[str, str, date]


class Learnt(NamedTuple):
    """An outcome as it counts: of goods like these, from a day on."""

    keys: Keys
    counts_from: date
    violated: bool


def counts_from(lodged_on: date, known_on: date) -> date:
    """Return from which day on an outcome counts."""
    return max(lodged_on, known_on) + timedelta(days=LEAST_DELAY_DAYS)


async def learn(session: AsyncSession, now: Iterable[Learnt], no_longer: Iterable[Learnt]) -> None:
    """Count outcomes, and take back those that were counted otherwise before."""
    changes: dict[Place, list[int]] = defaultdict(lambda: [0, 0])
    for sign, outcomes in ((1, now), (-1, no_longer)):
        for one in outcomes:
            for likeness, key in _places(one.keys):
                change = changes[likeness, key, one.counts_from]
                change[0] += sign
                change[1] += sign * one.violated
    # In one order everywhere, so that no two workers wait for each other.
    rows = sorted((*place, *change) for place, change in changes.items() if any(change))
    if rows:
        await (await driver(session)).execute(_ADD, *map(list, zip(*rows, strict=True)))


async def described(session: AsyncSession, wanted: Sequence[tuple[Keys, date]]) -> Floats:
    """Return for goods and the day they were lodged on what was known of like goods: (rows, 2 for each likeness)."""
    places = sorted({(*place, day) for keys, day in wanted for place in _places(keys)})
    found: dict[Place, Counts] = {}
    if places:
        for row in await (await driver(session)).fetch(_KNOWN, *map(list, zip(*places, strict=True))):
            found[places[row["n"] - 1]] = (row["inspections"], row["violations"])
    matrix = np.empty((len(wanted), 2 * len(LIKENESS)))
    for at, (keys, day) in enumerate(wanted):
        named = zip(LIKENESS, keys, strict=True)
        counts = [found.get((name, key, day), NEVER) if key is not None else NEVER for name, key in named]
        matrix[at] = describe(counts, found.get((ALL, "", day), NEVER))
    return matrix


async def values_of(session: AsyncSession, headings: Iterable[str]) -> Earlier:
    """Return what earlier declarations of headings were worth."""
    rows = await (await driver(session)).fetch(_VALUES, sorted(set(headings)))
    return {row["heading"]: (row["declared"], row["log_value_per_kg"]) for row in rows}


async def add_values(session: AsyncSession, now: Earlier, no_longer: Earlier) -> None:
    """Add what declarations say of the worth of headings, and take back what they said before."""
    rows = [
        (heading, now.get(heading, (0, 0.0))[0] - before[0], now.get(heading, (0, 0.0))[1] - before[1])
        for heading, before in _beside(now, no_longer)
    ]
    if rows:
        await (await driver(session)).execute(_ADD_VALUES, *map(list, zip(*rows, strict=True)))


def _beside(now: Earlier, no_longer: Earlier) -> list[tuple[str, tuple[int, float]]]:
    before: Mapping[str, tuple[int, float]] = no_longer
    return [(heading, before.get(heading, (0, 0.0))) for heading in sorted({*now, *before})]


def _places(keys: Keys) -> list[tuple[str, str]]:
    alike = [(name, key) for name, key in zip(LIKENESS, keys, strict=True) if key is not None]
    return [(ALL, ""), *alike]
