"""Where a network lies in the database: read around some accounts, in sets, and written back where it changed."""

import struct
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from services.identity.attributes import Attributes, Kind, Sketch, Value
from services.identity.blind import BYTES
from services.identity.linking import Link, Reason, alike
from services.identity.network import Banned, Holder, Pair, Return
from shared.database import Executes, columns, number_array, text_array

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ACCOUNTS_BY_ID = "SELECT * FROM link_sketches WHERE account_id = ANY($1::uuid[])"
ACCOUNTS_BY_OPERATOR = "SELECT * FROM link_sketches WHERE operator_id = ANY($1::uuid[])"
_SKETCHES = """
    SELECT operator_id, stated_at, name, name_pieces, address_kind, address, address_numbers, address_pieces
    FROM link_sketches WHERE operator_id = ANY($1::uuid[])
"""
_VALUES = "SELECT account_id, kind, blind FROM blind_values WHERE account_id = ANY($1::uuid[]) AND held_to IS NULL"
# A blind value is another one of another kind, so that it is found by itself. Of one that as many hold as are asked for
# nobody needs to know who they are.
_HOLDERS = f"""
    SELECT x.n::int AS n, CASE WHEN cardinality(h.held) < x.most THEN h.held END AS held
    FROM unnest($2::text::int[]) WITH ORDINALITY AS x (most, n)
    CROSS JOIN LATERAL (SELECT array_agg(operator_id) AS held FROM (SELECT DISTINCT operator_id FROM blind_values b
        WHERE b.blind = substring($1::bytea FROM {BYTES} * (x.n::int - 1) + 1 FOR {BYTES}) AND b.held_to IS NULL
        LIMIT x.most) AS o) AS h
    WHERE h.held IS NOT NULL
"""  # noqa: S608 - a number of ours
_LINKS = """
    SELECT operator_id, other_operator_id, score, reasons::text FROM operator_links WHERE operator_id = ANY($1::uuid[])
    UNION SELECT operator_id, other_operator_id, score, reasons::text FROM operator_links
    WHERE other_operator_id = ANY($1::uuid[])
"""
_RETURNS = """
    SELECT account_id, banned_account_id, banned_platform_id, banned_operator_id, banned_at, came_back, score,
        reasons::text FROM returned_accounts WHERE operator_id = ANY($1::uuid[])
"""

_PUT_ACCOUNTS = """
    INSERT INTO link_sketches (account_id, platform_id, operator_ref, operator_id, opened_at, stated_at, banned_at,
        name, name_pieces, address_kind, address, address_numbers, address_pieces)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[],
        $7::timestamptz[], $8::bytea[], $9::bytea[], $10::smallint[], $11::bytea[], $12::bytea[], $13::bytea[])
    ON CONFLICT (account_id) DO UPDATE SET operator_id = excluded.operator_id, stated_at = excluded.stated_at,
        banned_at = excluded.banned_at, name = excluded.name, name_pieces = excluded.name_pieces,
        address_kind = excluded.address_kind, address = excluded.address,
        address_numbers = excluded.address_numbers, address_pieces = excluded.address_pieces
"""
_CLOSE = """
    UPDATE blind_values b SET held_to = x.at
    FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::timestamptz[]) AS x (account_id, kind, blind, at)
    WHERE b.account_id = x.account_id AND b.kind = x.kind AND b.blind = x.blind AND b.held_to IS NULL
"""
# The values of an account that begin at one moment come in one piece, a byte of kind and those of the value for each.
_OPEN_NEW = f"""
    INSERT INTO blind_values (account_id, kind, blind, held_from, held_to, operator_id, platform_id)
    SELECT a, get_byte(k, n), substring(b FROM {BYTES} * n + 1 FOR {BYTES}), f, t, o, p
    FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::timestamptz[], $5::timestamptz[], $6::uuid[],
        $7::text::text[]) AS x (a, k, b, f, t, o, p)
    CROSS JOIN LATERAL generate_series(0, length(k) - 1) AS n
"""  # noqa: S608 - a number of ours
_OPEN = (
    _OPEN_NEW
    + """
    ON CONFLICT (account_id, kind, blind, held_from) DO UPDATE
        SET held_to = excluded.held_to, operator_id = excluded.operator_id
"""
)
_PUT_LINKS = """
    INSERT INTO operator_links (operator_id, other_operator_id, score, reasons, found_at)
    SELECT a, b, s, r::jsonb, t
    FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::text[], $5::timestamptz[]) AS x (a, b, s, r, t)
    ON CONFLICT (operator_id, other_operator_id) DO UPDATE SET score = excluded.score, reasons = excluded.reasons
"""
_DROP_LINKS = """
    DELETE FROM operator_links l USING unnest($1::uuid[], $2::uuid[]) AS x (a, b)
    WHERE l.operator_id = x.a AND l.other_operator_id = x.b
"""
_PUT_RETURNS = """
    INSERT INTO returned_accounts (account_id, platform_id, operator_id, banned_account_id, banned_platform_id,
        banned_operator_id, banned_at, came_back, score, reasons, found_at)
    SELECT i, p, o, bi, bp, bo, ba, c, s, r::jsonb, t FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[],
        $5::text[], $6::uuid[], $7::timestamptz[], $8::bool[], $9::float8[], $10::text[], $11::timestamptz[])
        AS x (i, p, o, bi, bp, bo, ba, c, s, r, t)
    ON CONFLICT (account_id) DO UPDATE SET operator_id = excluded.operator_id,
        banned_account_id = excluded.banned_account_id, banned_platform_id = excluded.banned_platform_id,
        banned_operator_id = excluded.banned_operator_id, banned_at = excluded.banned_at,
        came_back = excluded.came_back, score = excluded.score, reasons = excluded.reasons
"""
_DROP_RETURNS = "DELETE FROM returned_accounts WHERE account_id = ANY($1::uuid[])"
# Stands where a moment is not stored: what is there already keeps its own.
_STAYS = datetime.min.replace(tzinfo=UTC)


async def read_accounts(connection: Connection, statement: str, ids: Collection[UUID]) -> list[Holder]:
    """Return accounts, by their own or their operators' ids, with what they hold now."""
    rows = await connection.fetch(statement, sorted(ids)) if ids else []
    held: dict[UUID, list[Value]] = defaultdict(list)
    if rows:
        for account, kind, blind in await connection.fetch(_VALUES, [row["account_id"] for row in rows]):
            held[account].append(Value(kind, blind))
    return [_account(row, held[row["account_id"]]) for row in rows]


class Sketches:
    """The name and the address of an account, read from its row when they are compared, and the moment it is of."""

    __slots__ = ("_address", "_name", "_row", "stated_at")

    def __init__(self, row: asyncpg.Record) -> None:
        self._row = row
        self.stated_at: datetime = row["stated_at"]
        self._name: Sketch | None = None
        self._address: Sketch | None = None

    def has_like_name(self, names: Iterable[Sketch], least: float) -> bool:
        """Tell whether one of some names is alike and not the same."""
        if self._name is None:
            self._name = _name(self._row)
        return self._name is not None and any(alike(one, self._name, least) for one in names)

    def has_like_address(self, addresses: Iterable[Sketch], least: float) -> bool:
        """Tell whether one of some addresses is alike and not the same."""
        numbers = self._row["address_numbers"]
        for one in addresses:
            # Pieces need not be read of those that differ in that.
            if one.numbers == numbers:
                if self._address is None:
                    self._address = _address(self._row)
                if self._address is not None and alike(one, self._address, least):
                    return True
        return False


async def read_sketches(connection: Connection, operators: Collection[UUID]) -> dict[UUID, list[Sketches]]:
    """Return names and addresses of the accounts of some operators."""
    found: dict[UUID, list[Sketches]] = {operator: [] for operator in operators}
    for row in await connection.fetch(_SKETCHES, sorted(operators)) if operators else ():
        found[row["operator_id"]].append(Sketches(row))
    return found


async def read_holders(connection: Connection, values: Sequence[Value], most: Sequence[int]) -> dict[Value, set[UUID]]:
    """Return which operators hold values, of those that anyone holds.

    Where as many hold one as are asked for, somebody stands for each.
    """
    found: dict[Value, set[UUID]] = {}
    if values:
        for place, held in await connection.fetch(_HOLDERS, _joined(values)[1], number_array(most)):
            found[values[place - 1]] = (
                set(held) if held is not None else {_stand_in(one) for one in range(most[place - 1])}
            )
    return found


async def read_links(connection: Connection, operators: Collection[UUID]) -> dict[Pair, Link]:
    """Return the links of some operators."""
    rows = await connection.fetch(_LINKS, sorted(operators)) if operators else []
    return {(row[0], row[1]): Link(row["score"], read_reasons(row["reasons"])) for row in rows}


async def read_returns(connection: Connection, operators: Collection[UUID]) -> dict[UUID, Return]:
    """Return which accounts of some operators are linked to banned ones."""
    rows = await connection.fetch(_RETURNS, sorted(operators)) if operators else []
    return {row["account_id"]: _return(row) for row in rows}


async def put_accounts(connection: Executes, accounts: Iterable[Holder]) -> None:
    """Store what accounts are, but for the values they hold."""
    if rows := [_row(account) for account in accounts]:
        await connection.execute(_PUT_ACCOUNTS, *zip(*rows, strict=True))


async def close_values(connection: Executes, rows: Sequence[tuple[UUID, int, bytes, datetime]]) -> None:
    """Let values end."""
    if rows:
        await connection.execute(_CLOSE, *zip(*rows, strict=True))


class Begun(NamedTuple):
    """When an account begins to hold some values, and until when it does."""

    account_id: UUID
    held_from: datetime
    held_to: datetime | None
    operator_id: UUID
    platform_id: str


async def open_values(connection: Executes, begun: Mapping[Begun, Collection[Value]], *, are_new: bool) -> None:
    """Let values begin; those of accounts that held none before `are_new`."""
    rows = [(one[0], *_joined(own), *one[1:]) for one, own in begun.items()]
    if rows:
        forms = (list, list, list, list, list, list, text_array)
        await connection.execute(_OPEN_NEW if are_new else _OPEN, *columns(rows, *forms))


@lru_cache(maxsize=1_000)
def _stand_in(number: int) -> UUID:
    return UUID(int=number)


def _joined(values: Collection[Value]) -> tuple[bytes, bytes]:
    """Return the kinds of values, a byte each, and their blind forms, one behind the other."""
    return bytes([value[0] for value in values]), b"".join([value[1] for value in values])


async def put_links(connection: Executes, links: Mapping[Pair, Link | None], found: Mapping[Pair, datetime]) -> None:
    """Store links, or end them where there is none; those that were `found` now begin then, the others stay."""
    gone = [pair for pair, known in links.items() if known is None or pair in found]
    if gone:
        await connection.execute(_DROP_LINKS, *zip(*gone, strict=True))
    rows = [
        (a, b, known.score, write_reasons(known), found.get((a, b), _STAYS))
        for (a, b), known in sorted(links.items())
        if known is not None
    ]
    if rows:
        await connection.execute(_PUT_LINKS, *zip(*rows, strict=True))


async def put_returns(
    connection: Executes, returns: Mapping[UUID, tuple[Holder, Return | None]], found: Mapping[UUID, datetime]
) -> None:
    """Store which accounts are linked to banned ones, or forget it of those that no longer are."""
    gone = [account for account, (_, known) in returns.items() if known is None or account in found]
    if gone:
        await connection.execute(_DROP_RETURNS, gone)
    rows = [
        _return_row(holder, known, found.get(account, _STAYS))
        for account, (holder, known) in returns.items()
        if known is not None
    ]
    if rows:
        await connection.execute(_PUT_RETURNS, *zip(*rows, strict=True))


def read_reasons(stored: str) -> tuple[Reason, ...]:
    """Return reasons as they are stored."""
    return tuple(Reason(**reason) for reason in msgspec.json.decode(stored))


def write_reasons(known: Link) -> str:
    """Return reasons as they are stored."""
    return msgspec.json.encode([reason._asdict() for reason in known.reasons]).decode()


def _account(row: asyncpg.Record, held: Sequence[Value]) -> Holder:
    bands = frozenset(value for value in held if value.kind == Kind.BAND)
    fields = ("account_id", "platform_id", "operator_ref", "operator_id", "opened_at", "stated_at", "banned_at")
    return Holder(
        **{name: row[name] for name in fields},
        attributes=Attributes(frozenset(held) - bands, bands, _name(row), _address(row)),
    )


def _name(row: asyncpg.Record) -> Sketch | None:
    return Sketch(Value(Kind.NAME, row["name"]), b"", _read_pieces(row["name_pieces"])) if row["name"] else None


def _address(row: asyncpg.Record) -> Sketch | None:
    if not row["address"]:
        return None
    value = Value(row["address_kind"], row["address"])
    return Sketch(value, row["address_numbers"], _read_pieces(row["address_pieces"]))


def _row(account: Holder) -> tuple[Any, ...]:
    name, there = account.attributes.name, account.attributes.address
    return (
        account.account_id,
        account.platform_id,
        account.operator_ref,
        account.operator_id,
        account.opened_at,
        account.stated_at,
        account.banned_at,
        name.value.blind if name else None,
        _write_pieces(name.pieces if name else ()),
        there.value.kind if there else None,
        there.value.blind if there else None,
        there.numbers if there else b"",
        _write_pieces(there.pieces if there else ()),
    )


def _return(row: asyncpg.Record) -> Return:
    banned = Banned(*(row[f"banned_{name}"] for name in ("account_id", "platform_id", "operator_id", "at")))
    return Return(banned, row["came_back"], Link(row["score"], read_reasons(row["reasons"])))


def _return_row(account: Holder, found: Return, at: datetime) -> tuple[Any, ...]:
    banned = found.banned
    return (
        account.account_id,
        account.platform_id,
        account.operator_id,
        banned.account_id,
        banned.platform_id,
        banned.operator_id,
        banned.banned_at,
        found.came_back,
        found.link.score,
        write_reasons(found.link),
        at,
    )


def _read_pieces(stored: bytes) -> frozenset[int]:
    return frozenset(struct.unpack(f"<{len(stored) // 8}q", stored))


def _write_pieces(pieces: Collection[int]) -> bytes:
    return struct.pack(f"<{len(pieces)}q", *sorted(pieces))
