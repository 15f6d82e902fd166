"""Keeping what operators are found by, in sets: names, their pieces, and how common those are."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.conditions import NATURAL_PERSON, entity_kind
from services.identity.personal import HIDDEN
from services.identity.search_tables import NamePieces, SearchedAccount
from services.identity.searched_names import ANY, form, hashes, platform_piece
from shared.database import Executes, columns, driver, text_array

_PIECES = "SELECT account_id, pieces FROM name_pieces WHERE account_id = ANY ($1::uuid[])"
_PUT = """
    INSERT INTO searched_accounts (account_id, platform_id, operator_id, jurisdiction, entity_kind, registered_at,
        name, own, plain, registered_name, registered_own, registered_plain)
    SELECT * FROM unnest($1::uuid[], $2::text::text[], $3::uuid[], $4::text::text[], $5::text::text[],
        $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
    ON CONFLICT (account_id) DO UPDATE SET operator_id = excluded.operator_id, jurisdiction = excluded.jurisdiction,
        entity_kind = excluded.entity_kind,
        registered_at = least(searched_accounts.registered_at, excluded.registered_at),
        name = excluded.name, own = excluded.own, plain = excluded.plain, registered_name = excluded.registered_name,
        registered_own = excluded.registered_own, registered_plain = excluded.registered_plain
"""
_PUT_PIECES = """
    INSERT INTO name_pieces (account_id, pieces)
    SELECT a, p::int[] FROM unnest($1::uuid[], $2::text[]) AS x (a, p)
    ON CONFLICT (account_id) DO UPDATE SET pieces = excluded.pieces
"""
_DROP_PIECES = "DELETE FROM name_pieces WHERE account_id = ANY ($1::uuid[])"
_COUNT = """
    INSERT INTO name_piece_counts AS c (piece, accounts) SELECT * FROM unnest($1::int[], $2::int[])
    ON CONFLICT (piece) DO UPDATE SET accounts = c.accounts + excluded.accounts
"""
_NEWEST = text("""
    SELECT a.id, a.platform_id, a.operator_id, upper(f.content ->> 'jurisdiction') AS jurisdiction,
        f.content ->> 'legal_name' AS name, coalesce(f.content ->> 'entity_type', '') AS entity_type,
        (SELECT min(v.stated_at) FROM registration_files v WHERE v.account_id = a.id) AS registered_at
    FROM accounts a JOIN registration_files f ON f.account_id = a.id AND f.version = a.version
    WHERE a.id > :after ORDER BY a.id LIMIT :most
""")
_COUNT_ALL = text("""
    INSERT INTO name_piece_counts (piece, accounts)
    SELECT p, count(*) FROM name_pieces, unnest(pieces) AS p GROUP BY p
""")
_AT_ONCE = 5_000
_COLUMNS = (
    *("account_id", "platform_id", "operator_id", "jurisdiction", "entity_kind", "registered_at"),
    *("name", "own", "plain", "registered_name", "registered_own", "registered_plain"),
)


class Found(NamedTuple):
    """What an account is found by after an event; the names are None where they are a natural person's."""

    account_id: UUID
    platform_id: str
    operator_id: UUID
    jurisdiction: str
    entity_kind: str
    registered_at: datetime
    name: str | None
    registered_name: str | None


class Searched(NamedTuple):
    """What is kept of what an account is found by: its row, and the pieces of its names."""

    account_id: UUID
    registered_at: datetime
    row: tuple[object, ...]
    pieces: list[int]


def searched(own: Found) -> Searched:
    """Return what is kept of what an account is found by."""
    return Searched(own.account_id, own.registered_at, _row(own), _pieces_of(own))


def found(file: Found, entity_type: str) -> Found:
    """Return what an account is found by, without the names of a natural person: those are sealed."""
    kind = entity_kind(entity_type)
    if kind == NATURAL_PERSON or file.name == HIDDEN:
        return file._replace(entity_kind=kind, name=None, registered_name=None)
    return file._replace(entity_kind=kind)


async def pieces_of(session: AsyncSession, accounts: Collection[UUID]) -> dict[UUID, list[int]]:
    """Return the pieces by which accounts are found, of those that are."""
    return {row["account_id"]: row["pieces"] for row in await (await driver(session)).fetch(_PIECES, list(accounts))}


async def record(connection: Executes, stated: Sequence[Searched], before: Mapping[UUID, list[int]]) -> None:
    """Keep what accounts are found by now; the last word on an account counts, and the first day it had one.

    `before` is by which pieces they were found.
    """
    if not stated:
        return
    newest = {one.account_id: one for one in stated}
    since: dict[UUID, datetime] = {}
    for one in stated:
        since[one.account_id] = min(one.registered_at, since.get(one.account_id, one.registered_at))
    rows = [(*own[:5], since[account], *own[6:]) for account in sorted(newest) for own in (newest[account].row,)]
    # A natural person has no names here, and none is no text.
    forms = (list, text_array, list, text_array, text_array, *(list,) * 7)
    await connection.execute(_PUT, *columns(rows, *forms))
    changed = {account: one.pieces for account, one in newest.items() if one.pieces != before.get(account, [])}
    if gone := [account for account, now in changed.items() if not now]:
        await connection.execute(_DROP_PIECES, gone)
    if there := {account: now for account, now in changed.items() if now}:
        arrays = [f"{{{','.join(map(str, now))}}}" for now in there.values()]
        await connection.execute(_PUT_PIECES, list(there), arrays)
    counts: Counter[int] = Counter(piece for now in changed.values() for piece in now)
    counts.subtract(piece for account in changed for piece in before.get(account, ()))
    # In one order, so that two transactions wait for each other and do not both wait.
    if moved := sorted((piece, by) for piece, by in counts.items() if by):
        await connection.execute(_COUNT, *zip(*moved, strict=True))


def _row(one: Found) -> tuple[object, ...]:
    return (*one[:6], *_forms(one.name), *_forms(one.registered_name))


def _forms(name: str | None) -> tuple[str | None, str | None, str | None]:
    return (name, *form(name)) if name is not None else (None, None, None)


def _pieces_of(one: Found) -> list[int]:
    names = [name for name in (one.name, one.registered_name) if name is not None]
    own = frozenset().union(*(hashes(form(name).own) for name in names))
    return sorted(own | {ANY, platform_piece(one.platform_id)}) if own else []


def record_all(connection: Connection) -> None:
    """Keep what all accounts are found by that were registered before there was a search."""
    last = UUID(int=0)
    while rows := connection.execute(_NEWEST, {"after": last, "most": _AT_ONCE}).all():
        last = rows[-1].id
        known = [_stored(row) for row in rows]
        connection.execute(insert(SearchedAccount), [dict(zip(_COLUMNS, _row(one), strict=True)) for one in known])
        there = [{"account_id": one.account_id, "pieces": own} for one in known if (own := _pieces_of(one))]
        if there:
            connection.execute(insert(NamePieces), there)
    connection.execute(_COUNT_ALL)


def _stored(row: Any) -> Found:  # a row of `_NEWEST`
    own = Found(
        account_id=row.id,
        platform_id=row.platform_id,
        operator_id=row.operator_id,
        jurisdiction=row.jurisdiction,
        entity_kind="",
        registered_at=row.registered_at,
        name=row.name or HIDDEN,
        registered_name=None,
    )
    return found(own, row.entity_type)
