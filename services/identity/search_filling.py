"""Keeping what accounts are and were found by that were registered before that was kept: for migrations."""

from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, text

from services.identity.personal import HIDDEN
from services.identity.search_spans import Line, Searched, ended, followed
from services.identity.search_store import Found, found, searched
from services.identity.search_tables import NamePieces, NamePiecesBefore, SearchedAccount, SearchedBefore
from shared.events.platform import OperatorChanged, OperatorRegistered

_NEWEST = text("""
    SELECT a.id AS account_id, a.platform_id, a.operator_id, upper(f.content ->> 'jurisdiction') AS jurisdiction,
        f.content ->> 'legal_name' AS name, coalesce(f.content ->> 'entity_type', '') AS entity_type,
        (SELECT min(v.stated_at) FROM registration_files v WHERE v.account_id = a.id) AS stated_at,
        NULL AS registered_name
    FROM accounts a JOIN registration_files f ON f.account_id = a.id AND f.version = a.version
    WHERE a.id > :after ORDER BY a.id LIMIT :most
""")
_COUNT_ALL = text("""
    INSERT INTO name_piece_counts (piece, accounts)
    SELECT p, count(*) FROM name_pieces, unnest(pieces) AS p GROUP BY p
""")
# Of an account with one file that holds since it came; with several it is told from them.
_BEGIN = text("UPDATE searched_accounts SET held_from = registered_at")
_SEVERAL = text("""
    SELECT account_id FROM registration_files WHERE event_type = ANY (:types) AND account_id > :after
    GROUP BY account_id HAVING count(*) > 1 ORDER BY account_id LIMIT :most
""")
_FILES = text("""
    SELECT f.account_id, f.platform_id, f.operator_id, upper(f.content ->> 'jurisdiction') AS jurisdiction,
        f.content ->> 'legal_name' AS name, coalesce(f.content ->> 'entity_type', '') AS entity_type, f.stated_at,
        r.name AS registered_name, EXISTS (SELECT FROM purges p WHERE p.account_id = f.account_id
            AND p.version >= f.version AND p.certificate IS NOT NULL) AS is_purged
    FROM registration_files f
    LEFT JOIN operators o ON o.id = f.operator_id
    LEFT JOIN registry_entries r ON r.jurisdiction = o.jurisdiction AND r.scheme = o.scheme AND r.number = o.number
        AND r.valid_from <= (f.stated_at AT TIME ZONE 'UTC')::date
        AND (r.valid_to IS NULL OR r.valid_to > (f.stated_at AT TIME ZONE 'UTC')::date)
    WHERE f.account_id = ANY (:accounts) AND f.event_type = ANY (:types) ORDER BY f.account_id, f.version
""")
_SINCE = text("UPDATE searched_accounts SET held_from = :held_from WHERE account_id = :account_id")
_COUNT_BEFORE = text("""
    INSERT INTO name_piece_counts AS c (piece, accounts)
    SELECT p, count(*) FROM name_pieces_before, unnest(pieces) AS p GROUP BY p
    ON CONFLICT (piece) DO UPDATE SET accounts = c.accounts + excluded.accounts
""")
_TYPES = [OperatorRegistered.type, OperatorChanged.type]
_AT_ONCE = 5_000
_COLUMNS = (
    *("account_id", "platform_id", "operator_id", "jurisdiction", "entity_kind", "registered_at"),
    *("name", "own", "plain", "registered_name", "registered_own", "registered_plain"),
)


def record_all(connection: Connection) -> None:
    """Keep what all accounts are found by that were registered before there was a search."""
    last = UUID(int=0)
    while rows := connection.execute(_NEWEST, {"after": last, "most": _AT_ONCE}).all():
        last = rows[-1].account_id
        there = [_searched(row) for row in rows]
        since = [dict(zip(_COLUMNS, one.row, strict=True)) | {"held_from": one.held_from} for one in there]
        connection.execute(insert(SearchedAccount), since)
        if named := [{"account_id": one.account_id, "pieces": one.pieces} for one in there if one.pieces]:
            connection.execute(insert(NamePieces), named)
    connection.execute(_COUNT_ALL)


def record_before(connection: Connection) -> None:
    """Keep what all accounts were found by before, and since when they are found by what they are found by now.

    What was purged stays away. What a register said of a name is what it says now of the day of the file.
    """
    connection.execute(_BEGIN)
    last = UUID(int=0)
    while several := connection.scalars(_SEVERAL, {"types": _TYPES, "after": last, "most": _AT_ONCE}).all():
        last = several[-1]
        files = connection.execute(_FILES, {"accounts": several, "types": _TYPES}).all()
        lines = [_line(list(own)) for _, own in groupby(files, attrgetter("account_id"))]
        since = [{"account_id": line.now.account_id, "held_from": line.now.held_from} for line in lines]
        connection.execute(_SINCE, since)
        if before := [row for line in lines for row in _rows(line)]:
            connection.execute(insert(SearchedBefore), before)
        if named := [row for line in lines for row in _pieces(line)]:
            connection.execute(insert(NamePiecesBefore), named)
    connection.execute(_COUNT_BEFORE)


def _rows(line: Line) -> list[dict[str, Any]]:
    return [
        dict(zip(_COLUMNS, own.span.row, strict=True))
        | {"registered_at": line.registered_at, "held_from": begun, "held_to": own.held_to}
        for begun, own in ended(line).items()
    ]


def _pieces(line: Line) -> list[dict[str, Any]]:
    return [
        {"account_id": span.account_id, "held_from": span.held_from, "pieces": span.pieces}
        for span in line.before
        if span.pieces
    ]


def _line(files: list[Any]) -> Line:  # rows of `_FILES`
    line: Line | None = None
    for file in files:
        line = followed(line, _searched(file))
        if file.is_purged:
            line = line._replace(before=())
    assert line is not None, "an account has files"
    return line


def _searched(row: Any) -> Searched:  # a row of `_NEWEST` or `_FILES`
    own = Found(
        account_id=row.account_id,
        platform_id=row.platform_id,
        operator_id=row.operator_id,
        jurisdiction=row.jurisdiction,
        entity_kind="",
        registered_at=row.stated_at,
        name=row.name or HIDDEN,
        registered_name=row.registered_name,
    )
    return searched(found(own, row.entity_type))
