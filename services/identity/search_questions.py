"""Operators by a name that need not be spelt as it is, and by what else is known of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.searched_names import ANY, Form, Places, form, likeness, pieces, places, platform_piece
from shared.database import driver
from shared.paging import BadCursor

# So many accounts that have a rare piece are compared with a name.
_COMPARED = 500
# So many of a pair of common pieces, which may be more common together than each is alone; and with the same name.
_MOST_OF_PAIR = 150
_MOST_SAME = 200
# What is less alike than this is no answer.
_LEAST = 0.5

_COUNTS = "SELECT piece, accounts FROM name_piece_counts WHERE piece = ANY ($1::int[])"
_FILTERS = {
    "jurisdiction": "s.jurisdiction = {0}::text",
    "platform": "s.platform_id = {0}::text",
    "entity_kind": "s.entity_kind = {0}::text",
    "state": "a.state = {0}::text",
    "verdict": "a.verdict = {0}::text",
    "since": "s.registered_at >= {0}::timestamptz",
    "until": "s.registered_at < {0}::timestamptz",
}
_NAMED = """
    SELECT s.account_id, s.operator_id, s.own, s.plain, s.registered_own, s.registered_plain
    FROM ({found} UNION
        (SELECT account_id FROM searched_accounts WHERE own = $1::text LIMIT {same})) AS c
    JOIN searched_accounts s USING (account_id) {accounts} WHERE s.name IS NOT NULL {filters}
"""
_FOUND = "(SELECT account_id FROM name_pieces WHERE pieces @> '{{{pieces}}}'::int[] LIMIT {most})"
_NOBODY = "SELECT account_id FROM name_pieces WHERE false"
_LISTED = """
    SELECT o.id, o.jurisdiction, o.scheme, o.number FROM operators o JOIN (
        SELECT DISTINCT s.operator_id FROM searched_accounts s {accounts} WHERE {filters}
        ORDER BY s.operator_id LIMIT $1::int) AS f ON f.operator_id = o.id
    ORDER BY o.id
"""
_ACCOUNTS = "JOIN accounts a ON a.id = s.account_id"
_SHOWN = """
    SELECT o.id, o.jurisdiction, o.scheme, o.number, CASE WHEN x.r THEN s.registered_name ELSE s.name END AS name
    FROM unnest($1::uuid[], $2::bool[]) WITH ORDINALITY AS x (a, r, n)
    JOIN searched_accounts s ON s.account_id = x.a JOIN operators o ON o.id = s.operator_id
    ORDER BY x.n
"""

Page = tuple[list[dict[str, Any]], UUID | None]


class Wanted(NamedTuple):
    """What is known of the operators asked for, each where it is not None; days are whole days of UTC."""

    jurisdiction: str | None = None
    platform: str | None = None
    entity_kind: str | None = None
    state: str | None = None
    verdict: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def values(self) -> dict[str, object]:
        """Return the values of the filters that are asked for."""
        midnight = {
            "since": _midnight(self.first_day) if self.first_day is not None else None,
            "until": _midnight(self.last_day + timedelta(days=1)) if self.last_day is not None else None,
        }
        stated = {name: getattr(self, name) for name in self._fields[:5]}
        return {name: value for name, value in (stated | midnight).items() if value is not None}


class _Match(NamedTuple):
    """How alike a name of an operator is, of which account, and whether its register says so."""

    likeness: float
    account_id: UUID
    is_registered: bool


async def named(session: AsyncSession, name: str, wanted: Wanted, *, after: UUID | None, limit: int) -> Page:
    """Return a page of the operators with a name like the one asked for, the likest first. Raises BadCursor."""
    asked = form(name)
    matches = _best(asked, await _candidates(session, asked, wanted)) if asked.own else {}
    ordered = sorted(matches, key=lambda operator: (-matches[operator].likeness, operator))
    begin = 0
    if after is not None:
        if after not in matches:
            raise BadCursor("this cursor was not given by this search", pointer="/query/cursor")
        begin = ordered.index(after) + 1
    shown = ordered[begin : begin + limit]
    of = [matches[one] for one in shown]
    accounts, registered = [one.account_id for one in of], [one.is_registered for one in of]
    rows = await (await driver(session)).fetch(_SHOWN, accounts, registered)
    items = [dict(row) | {"likeness": one.likeness} for row, one in zip(rows, of, strict=True)]
    return items, shown[-1] if begin + limit < len(ordered) else None


async def listed(session: AsyncSession, wanted: Wanted, *, after: UUID | None, limit: int) -> Page:
    """Return a page of the operators of which one account is as wanted, by their ids."""
    values = wanted.values()
    filters = _filters(values, first=2)
    arguments = [limit + 1, *values.values()]
    if after is not None:
        arguments.append(after)
        filters.append(f"s.operator_id > ${len(arguments)}::uuid")
    accounts = _ACCOUNTS if {"state", "verdict"} & values.keys() else ""
    statement = _LISTED.format(accounts=accounts, filters=" AND ".join(filters) or "true")
    rows = [dict(row) for row in await (await driver(session)).fetch(statement, *arguments)]
    return rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None


async def _candidates(session: AsyncSession, asked: Form, wanted: Wanted) -> list[asyncpg.Record]:
    """Return the accounts to compare with a name: those with the same one, and with its rarest pieces."""
    connection = await driver(session)
    own = pieces(asked.own)
    rows = await connection.fetch(_COUNTS, [ANY, *(one.hash for one in own)])
    counts = {row["piece"]: row["accounts"] for row in rows}
    values = wanted.values()
    seen = wanted.platform
    found = _found(places(own, counts, most=_COMPARED), () if seen is None else (platform_piece(seen),))
    filters = "".join(f" AND {one}" for one in _filters(values, first=2))
    accounts = _ACCOUNTS if {"state", "verdict"} & values.keys() else ""
    statement = _NAMED.format(found=found, same=_MOST_SAME, accounts=accounts, filters=filters)
    return list(await connection.fetch(statement, asked.own, *values.values()))


def _found(where: Places, always: tuple[int, ...]) -> str:
    """Return the statement that finds accounts by pieces; those are numbers, written as they are."""
    single = [((one, *always), _COMPARED) for one in where.single]
    pairs = [((*pair, *always), _MOST_OF_PAIR) for pair in where.pairs]
    parts = [_FOUND.format(pieces=",".join(map(str, group)), most=most) for group, most in single + pairs]
    return " UNION ".join(parts) or _NOBODY


def _best(asked: Form, rows: Sequence[asyncpg.Record]) -> dict[UUID, _Match]:
    """Return the best name of each operator that is like the one asked for."""
    stated = [(row[0], row[1], row[2], row[3], False) for row in rows]
    registered = [(row[0], row[1], row[4], row[5], True) for row in rows if row[4] is not None]
    names = stated + registered
    if not names:
        return {}
    scores = likeness(asked, [name[2] for name in names], [name[3] for name in names])
    best: dict[UUID, _Match] = {}
    for place in np.flatnonzero(scores >= _LEAST).tolist():
        account, operator, *_, is_registered = names[place]
        match = _Match(float(scores[place]), account, is_registered)
        known = best.get(operator)
        if known is None or known < match:
            best[operator] = match
    return best


def _filters(values: Iterable[str], *, first: int) -> list[str]:
    return [_FILTERS[name].format(f"${place}") for place, name in enumerate(values, start=first)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
