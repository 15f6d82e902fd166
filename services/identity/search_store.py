"""Keeping what operators are and were found by, in sets: names, their pieces, and how common those are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.conditions import NATURAL_PERSON, entity_kind
from services.identity.personal import HIDDEN
from services.identity.search_spans import Ended, Line, Searched, ended, followed
from services.identity.searched_names import ANY, form, hashes, platform_piece
from shared.database import Executes, columns, driver, text_array

_ROW = """
    s.account_id, s.platform_id, s.operator_id, s.jurisdiction, s.entity_kind, s.registered_at,
    s.name, s.own, s.plain, s.registered_name, s.registered_own, s.registered_plain
"""
_KNOWN = f"""
    SELECT {_ROW}, s.held_from, p.pieces FROM searched_accounts s LEFT JOIN name_pieces p USING (account_id)
    WHERE s.account_id = ANY ($1::uuid[])
"""  # noqa: S608 - columns of ours
_KNOWN_BEFORE = f"""
    SELECT {_ROW}, s.held_from, p.pieces
    FROM searched_before s LEFT JOIN name_pieces_before p USING (account_id, held_from)
    WHERE s.account_id = ANY ($1::uuid[]) ORDER BY s.account_id, s.held_from
"""  # noqa: S608 - columns of ours
_PUT = """
    INSERT INTO searched_accounts (account_id, platform_id, operator_id, jurisdiction, entity_kind, registered_at,
        name, own, plain, registered_name, registered_own, registered_plain, held_from)
    SELECT * FROM unnest($1::uuid[], $2::text::text[], $3::uuid[], $4::text::text[], $5::text::text[],
        $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
        $13::timestamptz[])
    ON CONFLICT (account_id) DO UPDATE SET operator_id = excluded.operator_id, jurisdiction = excluded.jurisdiction,
        entity_kind = excluded.entity_kind,
        registered_at = least(searched_accounts.registered_at, excluded.registered_at),
        name = excluded.name, own = excluded.own, plain = excluded.plain, registered_name = excluded.registered_name,
        registered_own = excluded.registered_own, registered_plain = excluded.registered_plain,
        held_from = excluded.held_from
"""
_PUT_PIECES = """
    INSERT INTO name_pieces (account_id, pieces)
    SELECT a, p::int[] FROM unnest($1::uuid[], $2::text[]) AS x (a, p)
    ON CONFLICT (account_id) DO UPDATE SET pieces = excluded.pieces
"""
_DROP_PIECES = "DELETE FROM name_pieces WHERE account_id = ANY ($1::uuid[])"
_PUT_BEFORE = """
    INSERT INTO searched_before (account_id, platform_id, operator_id, jurisdiction, entity_kind, registered_at,
        name, own, plain, registered_name, registered_own, registered_plain, held_from, held_to)
    SELECT * FROM unnest($1::uuid[], $2::text::text[], $3::uuid[], $4::text::text[], $5::text::text[],
        $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
        $13::timestamptz[], $14::timestamptz[])
"""
_PUT_PIECES_BEFORE = """
    INSERT INTO name_pieces_before (account_id, held_from, pieces)
    SELECT a, f, p::int[] FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS x (a, f, p)
"""
_DROP_BEFORE = tuple(
    f"""
    DELETE FROM {table} b USING unnest($1::uuid[], $2::timestamptz[]) AS x (a, f)
    WHERE b.account_id = x.a AND b.held_from = x.f
    """  # noqa: S608 - tables of ours
    for table in ("searched_before", "name_pieces_before")
)
_COUNT = """
    INSERT INTO name_piece_counts AS c (piece, accounts) SELECT * FROM unnest($1::int[], $2::int[])
    ON CONFLICT (piece) DO UPDATE SET accounts = c.accounts + excluded.accounts
"""
# What an account was found by before, and how often the pieces of those names are there.
FORGET_BEFORE = (
    """
    INSERT INTO name_piece_counts AS c (piece, accounts)
    SELECT p, -count(*) FROM name_pieces_before b, unnest(b.pieces) AS p WHERE b.account_id = $1 GROUP BY p ORDER BY p
    ON CONFLICT (piece) DO UPDATE SET accounts = c.accounts + excluded.accounts
    """,
    "DELETE FROM name_pieces_before WHERE account_id = $1",
    "DELETE FROM searched_before WHERE account_id = $1",
)
# Of the columns of a row: where it says when the account was registered. A natural person has no names, and none is no
# text.
_REGISTERED = 5
_FORMS = (list, text_array, list, text_array, text_array, *(list,) * 7)


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


def searched(own: Found) -> Searched:
    """Return what is kept of what an account is found by."""
    return Searched(own.account_id, own.registered_at, _row(own), _pieces_of(own))


def found(file: Found, entity_type: str) -> Found:
    """Return what an account is found by, without the names of a natural person: those are sealed."""
    kind = entity_kind(entity_type)
    if kind == NATURAL_PERSON or file.name == HIDDEN:
        return file._replace(entity_kind=kind, name=None, registered_name=None)
    return file._replace(entity_kind=kind)


async def known(session: AsyncSession, files: Sequence[Searched]) -> dict[UUID, Line]:
    """Return what accounts that have files were found by; what is over only of those that a file comes late for."""
    since: dict[UUID, datetime] = {}
    for one in files:
        since[one.account_id] = min(one.held_from, since.get(one.account_id, one.held_from))
    connection = await driver(session)
    lines: dict[UUID, Line] = {}
    for row in await connection.fetch(_KNOWN, list(since)):
        lines[row["account_id"]] = Line(row["registered_at"], _stored(row))
    late = [account for account, line in lines.items() if since[account] <= line.now.held_from]
    for row in await connection.fetch(_KNOWN_BEFORE, late) if late else ():
        line = lines[row["account_id"]]
        lines[row["account_id"]] = line._replace(before=(*line.before, _stored(row)))
    return lines


async def record(connection: Executes, stated: Sequence[Searched], before: Mapping[UUID, Line]) -> None:
    """Keep what accounts are found by now, and what they were found by until then.

    `before` is what they were found by.
    """
    if not stated:
        return
    lines: dict[UUID, Line] = {}
    for one in stated:
        account = one.account_id
        lines[account] = followed(lines.get(account) or before.get(account), one)
    rows = [(*_as_registered(line.now, line), line.now.held_from) for _, line in sorted(lines.items())]
    await connection.execute(_PUT, *columns(rows, *_FORMS, list))
    counts = await _record_pieces(connection, lines, before)
    counts.update(await _record_before(connection, lines, before))
    # In one order, so that two transactions wait for each other and do not both wait.
    if moved := sorted((piece, by) for piece, by in counts.items() if by):
        await connection.execute(_COUNT, *zip(*moved, strict=True))


async def _record_pieces(connection: Executes, lines: Mapping[UUID, Line], before: Mapping[UUID, Line]) -> Counter[int]:
    """Keep the pieces of names that changed, and return how much more often each is there."""
    old = {account: line.now.pieces for account, line in before.items()}
    changed = {account: line.now.pieces for account, line in lines.items() if line.now.pieces != old.get(account, [])}
    if gone := [account for account, now in changed.items() if not now]:
        await connection.execute(_DROP_PIECES, gone)
    if there := {account: now for account, now in changed.items() if now}:
        await connection.execute(_PUT_PIECES, list(there), [_array(now) for now in there.values()])
    counts: Counter[int] = Counter(piece for now in changed.values() for piece in now)
    counts.subtract(piece for account in changed for piece in old.get(account, ()))
    return counts


async def _record_before(connection: Executes, lines: Mapping[UUID, Line], before: Mapping[UUID, Line]) -> Counter[int]:
    """Keep what is over now and was not, and forget what a late file replaced; return how the pieces' counts move."""
    gone: list[Ended] = []
    come: list[Ended] = []
    for account, line in lines.items():
        known_line = before.get(account)
        old, new = ended(known_line) if known_line is not None else {}, ended(line)
        gone += [own for begun, own in old.items() if new.get(begun) != own]
        come += [own for begun, own in new.items() if old.get(begun) != own]
    if gone:
        keys = [own.span.account_id for own in gone], [own.span.held_from for own in gone]
        for statement in _DROP_BEFORE:
            await connection.execute(statement, *keys)
    if come:
        rows = [(*_as_registered(s, lines[s.account_id]), s.held_from, until) for s, until in come]
        await connection.execute(_PUT_BEFORE, *columns(rows, *_FORMS, list, list))
    if named := [own.span for own in come if own.span.pieces]:
        pieces = [(span.account_id, span.held_from, _array(span.pieces)) for span in named]
        await connection.execute(_PUT_PIECES_BEFORE, *columns(pieces, list, list, list))
    counts: Counter[int] = Counter(piece for own in come for piece in own.span.pieces)
    counts.subtract(piece for own in gone for piece in own.span.pieces)
    return counts


def _stored(row: asyncpg.Record) -> Searched:
    *own, held_from, pieces_ = row
    return Searched(row["account_id"], held_from, tuple(own), pieces_ or [])


def _as_registered(span: Searched, line: Line) -> tuple[object, ...]:
    """Return a row with the first day of all its account had; the row of a file has its own."""
    return (*span.row[:_REGISTERED], line.registered_at, *span.row[_REGISTERED + 1 :])


def _array(pieces: Sequence[int]) -> str:
    return f"{{{','.join(map(str, pieces))}}}"


def _row(one: Found) -> tuple[object, ...]:
    return (*one[:6], *_forms(one.name), *_forms(one.registered_name))


def _forms(name: str | None) -> tuple[str | None, str | None, str | None]:
    return (name, *form(name)) if name is not None else (None, None, None)


def _pieces_of(one: Found) -> list[int]:
    names = [name for name in (one.name, one.registered_name) if name is not None]
    own = frozenset().union(*(hashes(form(name).own) for name in names))
    return sorted(own | {ANY, platform_piece(one.platform_id)}) if own else []
