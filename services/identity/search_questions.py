"""Operators by a name that need not be spelt as it is, and by what else is known of them; also as of an instant.

As of an instant an account is found by what it was found by then, and by what its newest file of then came to. Former
names find what bore them too: then the names are those of any time, and what files came to is what they come to now.
"""

from collections import defaultdict
from collections.abc import Sequence
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
_BEGUN, _NOT_OVER = "s.held_from <= {0}::timestamptz", "s.held_to > {0}::timestamptz"
_FORMS = "s.account_id, s.operator_id, s.own, s.plain, s.registered_own, s.registered_plain"
_NAMED = """
    SELECT {forms}
    FROM ({found} UNION
        (SELECT account_id FROM searched_accounts WHERE own = $1::text LIMIT {same})) AS c
    JOIN searched_accounts s USING (account_id) {accounts} WHERE s.name IS NOT NULL {filters}
"""
# Each span of what is found is compared by itself.
_NAMED_EVER = """
    WITH c AS MATERIALIZED ({found} UNION
        (SELECT account_id FROM searched_accounts WHERE own = $1::text LIMIT {same}) UNION
        (SELECT account_id FROM searched_before WHERE own = $1::text LIMIT {same}))
    SELECT {forms}, s.held_from, NULL::timestamptz AS held_to, s.name, s.registered_name
    FROM c JOIN searched_accounts s USING (account_id) {accounts} WHERE s.name IS NOT NULL {filters}
    UNION ALL
    SELECT {forms}, s.held_from, s.held_to, s.name, s.registered_name
    FROM c JOIN searched_before s USING (account_id) {accounts} WHERE s.name IS NOT NULL {filters_before}
"""
_FOUND = "(SELECT account_id FROM {table} WHERE pieces @> '{{{pieces}}}'::int[] LIMIT {most})"
_NOBODY = "SELECT account_id FROM name_pieces WHERE false"
_LISTED = """
    SELECT o.id, o.jurisdiction, o.scheme, o.number FROM operators o JOIN (
        SELECT DISTINCT s.operator_id FROM {source} s {accounts} WHERE {filters}
        ORDER BY s.operator_id LIMIT $1::int) AS f ON f.operator_id = o.id
    ORDER BY o.id
"""
_NOW = "searched_accounts"
_EVER = """(
    SELECT account_id, platform_id, operator_id, jurisdiction, entity_kind, registered_at, held_from,
        'infinity'::timestamptz AS held_to FROM searched_accounts UNION ALL
    SELECT account_id, platform_id, operator_id, jurisdiction, entity_kind, registered_at, held_from, held_to
    FROM searched_before)
"""
_ACCOUNTS = "JOIN accounts a ON a.id = s.account_id"
_ACCOUNTS_THEN = """
    JOIN LATERAL (SELECT v.state, v.verdict FROM registration_files v
        WHERE v.account_id = s.account_id AND v.stated_at <= {0}::timestamptz ORDER BY v.version DESC LIMIT 1) a ON true
"""
_SHOWN = """
    SELECT o.id, o.jurisdiction, o.scheme, o.number, CASE WHEN x.r THEN s.registered_name ELSE s.name END AS name
    FROM unnest($1::uuid[], $2::bool[]) WITH ORDINALITY AS x (a, r, n)
    JOIN searched_accounts s ON s.account_id = x.a JOIN operators o ON o.id = s.operator_id
    ORDER BY x.n
"""
_SPANS = """
    SELECT account_id, operator_id, held_from, held_to, name, registered_name FROM searched_before
    WHERE account_id = ANY ($1::uuid[]) UNION ALL
    SELECT account_id, operator_id, held_from, NULL, name, registered_name FROM searched_accounts
    WHERE account_id = ANY ($1::uuid[])
    ORDER BY account_id, held_from
"""
_OPERATORS = "SELECT id, jurisdiction, scheme, number FROM operators WHERE id = ANY ($1::uuid[])"

Page = tuple[list[dict[str, Any]], UUID | None]


class Wanted(NamedTuple):
    """What is known of the operators asked for, each where it is not None; days are whole days of UTC.

    `as_of` is the instant of which all of it is; with `former`, names of before are compared too.
    """

    jurisdiction: str | None = None
    platform: str | None = None
    entity_kind: str | None = None
    state: str | None = None
    verdict: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    as_of: datetime | None = None
    former: bool = False

    def is_of_any_time(self) -> bool:
        """Tell whether names that are not borne any more are asked for too."""
        return self.as_of is not None or self.former

    def values(self) -> dict[str, object]:
        """Return the values of the filters that are asked for."""
        midnight = {
            "since": _midnight(self.first_day) if self.first_day is not None else None,
            "until": _midnight(self.last_day + timedelta(days=1)) if self.last_day is not None else None,
        }
        stated = {name: getattr(self, name) for name in self._fields[:5]}
        return {name: value for name, value in (stated | midnight).items() if value is not None}


class _Match(NamedTuple):
    """How alike a name is, whether it is borne still, by which account, and whether its operator's register says so.

    The likest is the best; of those, one that is borne still. `held_from` is there where names of any time are.
    """

    likeness: float
    is_borne: bool
    account_id: UUID
    is_registered: bool
    held_from: datetime | None
    row: asyncpg.Record


class _Asked(NamedTuple):
    """Conditions on what accounts are and were found by, and the values of their parameters."""

    filters: list[str]
    filters_before: list[str]
    accounts: str
    values: list[object]


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
    tell = _with_times if wanted.is_of_any_time() else _as_borne
    items = await tell(session, [matches[one] for one in shown])
    return items, shown[-1] if begin + limit < len(ordered) else None


async def listed(session: AsyncSession, wanted: Wanted, *, after: UUID | None, limit: int) -> Page:
    """Return a page of the operators of which one account is as wanted, by their ids."""
    asked = _asked(wanted, first=2)
    arguments, filters = [limit + 1, *asked.values], asked.filters_before
    if after is not None:
        arguments.append(after)
        filters = [*filters, f"s.operator_id > ${len(arguments)}::uuid"]
    source = _NOW if wanted.as_of is None else _EVER
    statement = _LISTED.format(source=source, accounts=asked.accounts, filters=" AND ".join(filters) or "true")
    rows = [dict(row) for row in await (await driver(session)).fetch(statement, *arguments)]
    return rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None


def _asked(wanted: Wanted, *, first: int) -> _Asked:
    """Return the conditions of a search; their parameters begin with number `first`."""
    values = wanted.values()
    filters = [_FILTERS[name].format(f"${place}") for place, name in enumerate(values, start=first)]
    accounts = _ACCOUNTS if {"state", "verdict"} & values.keys() else ""
    if wanted.as_of is None:
        return _Asked(filters, filters, accounts, list(values.values()))
    moment = f"${first + len(values)}"
    filters.append(_BEGUN.format(moment))
    accounts = _ACCOUNTS_THEN.format(moment) if accounts else ""
    return _Asked(filters, [*filters, _NOT_OVER.format(moment)], accounts, [*values.values(), wanted.as_of])


async def _candidates(session: AsyncSession, asked: Form, wanted: Wanted) -> list[asyncpg.Record]:
    """Return the accounts to compare with a name: those with the same one, and with its rarest pieces."""
    connection = await driver(session)
    own = pieces(asked.own)
    rows = await connection.fetch(_COUNTS, [ANY, *(one.hash for one in own)])
    counts = {row["piece"]: row["accounts"] for row in rows}
    always = () if wanted.platform is None else (platform_piece(wanted.platform),)
    where = places(own, counts, most=_COMPARED)
    tables = ("name_pieces", "name_pieces_before") if wanted.is_of_any_time() else ("name_pieces",)
    found = " UNION ".join(_found(table, where, always) for table in tables)
    conditions = _asked(wanted, first=2)
    now, before = (
        "".join(f" AND {one}" for one in filters) for filters in (conditions.filters, conditions.filters_before)
    )
    statement = (_NAMED_EVER if wanted.is_of_any_time() else _NAMED).format(
        forms=_FORMS, found=found, same=_MOST_SAME, accounts=conditions.accounts, filters=now, filters_before=before
    )
    return list(await connection.fetch(statement, asked.own, *conditions.values))


def _found(table: str, where: Places, always: tuple[int, ...]) -> str:
    """Return the statement that finds accounts by pieces; those are numbers, written as they are."""
    single = [((one, *always), _COMPARED) for one in where.single]
    pairs = [((*pair, *always), _MOST_OF_PAIR) for pair in where.pairs]
    parts = [_FOUND.format(table=table, pieces=",".join(map(str, group)), most=most) for group, most in single + pairs]
    return " UNION ".join(parts) or _NOBODY


def _best(asked: Form, rows: Sequence[asyncpg.Record]) -> dict[UUID, _Match]:
    """Return the best name of each operator that is like the one asked for."""
    stated = [(row, row[2], row[3], False) for row in rows]
    registered = [(row, row[4], row[5], True) for row in rows if row[4] is not None]
    names = stated + registered
    if not names:
        return {}
    scores = likeness(asked, [name[1] for name in names], [name[2] for name in names])
    best: dict[UUID, _Match] = {}
    for place in np.flatnonzero(scores >= _LEAST).tolist():
        row, *_, is_registered = names[place]
        is_borne, held_from = row.get("held_to") is None, row.get("held_from")
        match = _Match(float(scores[place]), is_borne, row["account_id"], is_registered, held_from, row)
        known = best.get(row["operator_id"])
        if known is None or known < match:
            best[row["operator_id"]] = match
    return best


async def _as_borne(session: AsyncSession, matches: Sequence[_Match]) -> list[dict[str, Any]]:
    """Return what is told of names that are borne now."""
    accounts, registered = [one.account_id for one in matches], [one.is_registered for one in matches]
    rows = await (await driver(session)).fetch(_SHOWN, accounts, registered)
    return [
        dict(row) | {"account_id": one.account_id, "likeness": one.likeness}
        for row, one in zip(rows, matches, strict=True)
    ]


async def _with_times(session: AsyncSession, matches: Sequence[_Match]) -> list[dict[str, Any]]:
    """Return what is told of names of any time, and from when until when they were borne."""
    connection = await driver(session)
    spans: dict[UUID, list[asyncpg.Record]] = defaultdict(list)
    for row in await connection.fetch(_SPANS, [one.account_id for one in matches]):
        spans[row["account_id"]].append(row)
    rows = await connection.fetch(_OPERATORS, [one.row["operator_id"] for one in matches])
    operators = {row["id"]: dict(row) for row in rows}
    return [
        operators[one.row["operator_id"]]
        | {"account_id": one.account_id, "likeness": one.likeness, **_borne(one, spans[one.account_id])}
        for one in matches
    ]


def _borne(match: _Match, spans: Sequence[asyncpg.Record]) -> dict[str, Any]:
    """Return a name and the whole time that its operator bore it, whatever else changed meanwhile."""
    own, field = match.row, "registered_name" if match.is_registered else "name"
    same = [span for span in spans if (span["operator_id"], span[field]) == (own["operator_id"], own[field])]
    borne_from, borne_to = own["held_from"], own["held_to"]
    for span in reversed(same):
        if span["held_to"] == borne_from:
            borne_from = span["held_from"]
    for span in same:
        if span["held_from"] == borne_to:
            borne_to = span["held_to"]
    return {"name": own[field], "borne_from": borne_from, "borne_to": borne_to}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
