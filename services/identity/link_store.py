"""Where a network lies in the database: read around some accounts, in sets, and written back where it changed."""

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from services.identity.attributes import Attributes, Kind, Sketch, Value, kind_of
from services.identity.linking import Link, Reason, alike
from services.identity.network import Banned, Holder, Pair, Return
from shared.database import Executes, columns, number_array, text_array

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ACCOUNTS_BY_ID = "SELECT * FROM link_sketches WHERE account_id = ANY($1::uuid[])"
ACCOUNTS_BY_OPERATOR = "SELECT * FROM link_sketches WHERE operator_id = ANY($1::uuid[])"
_SKETCHES = """
    SELECT operator_id, stated_at, name, name_pieces, address, address_numbers, address_pieces
    FROM link_sketches WHERE operator_id = ANY($1::uuid[])
"""
# Of a value that as many hold as are asked for nobody needs to know who they are.
_HOLDERS = """
    SELECT x.n::int AS n, CASE WHEN cardinality(h.held) < x.most THEN h.held END AS held
    FROM unnest($1::text::bigint[], $2::text::int[]) WITH ORDINALITY AS x (value, most, n)
    CROSS JOIN LATERAL (SELECT array_agg(operator_id) AS held FROM (
        SELECT operator_id FROM value_holders v WHERE v.value = x.value LIMIT x.most) AS o) AS h
    WHERE h.held IS NOT NULL
"""
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
        held, name, name_pieces, address, address_numbers, address_pieces)
    SELECT * FROM unnest($1::uuid[], $2::text::text[], $3::text::text[], $4::uuid[], $5::timestamptz[],
        $6::timestamptz[], $7::timestamptz[], $8::bytea[], $9::bigint[], $10::bytea[], $11::bigint[],
        $12::text::bigint[], $13::bytea[])
    ON CONFLICT (account_id) DO UPDATE SET operator_id = excluded.operator_id, stated_at = excluded.stated_at,
        banned_at = excluded.banned_at, held = excluded.held, name = excluded.name, name_pieces = excluded.name_pieces,
        address = excluded.address, address_numbers = excluded.address_numbers,
        address_pieces = excluded.address_pieces
"""
# In order, so that neighbours in the index come one after the other.
_HOLD = """
    INSERT INTO value_holders (value, operator_id)
    SELECT v, ($3::uuid[])[n] FROM unnest($1::text::bigint[], $2::text::int[]) AS x (v, n) ORDER BY v
"""
_LET_GO = """
    DELETE FROM value_holders h USING unnest($1::text::bigint[], $2::text::int[]) AS x (v, n)
    WHERE h.value = x.v AND h.operator_id = ($3::uuid[])[n]
"""
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
_DROP_ACCOUNT = "DELETE FROM link_sketches WHERE account_id = $1"
_DROP_RETURNS = "DELETE FROM returned_accounts WHERE account_id = ANY($1::uuid[])"
# Stands where a moment is not stored: what is there already keeps its own.
_STAYS = datetime.min.replace(tzinfo=UTC)


async def read_accounts(connection: Connection, statement: str, ids: Collection[UUID]) -> list[Holder]:
    """Return accounts, by their own or their operators' ids, with what they hold now."""
    rows = await connection.fetch(statement, sorted(ids)) if ids else []
    return [_account(row) for row in rows]


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
        for place, held in await connection.fetch(_HOLDERS, number_array(values), number_array(most)):
            found[values[place - 1]] = (
                set(held) if held is not None else {_stand_in(one) for one in range(most[place - 1])}
            )
    return found


async def read_links(connection: Connection, operators: Collection[UUID]) -> dict[Pair, Link]:
    """Return the links of some operators."""
    rows = await connection.fetch(_LINKS, list(operators)) if operators else []
    return {(row[0], row[1]): Link(row["score"], read_reasons(row["reasons"])) for row in rows}


async def read_returns(connection: Connection, operators: Collection[UUID]) -> dict[UUID, Return]:
    """Return which accounts of some operators are linked to banned ones."""
    rows = await connection.fetch(_RETURNS, sorted(operators)) if operators else []
    return {row["account_id"]: _return(row) for row in rows}


async def put_accounts(connection: Executes, accounts: Iterable[Holder]) -> None:
    """Store what accounts are and say."""
    if rows := [_row(account) for account in accounts]:
        texts = (list, text_array, text_array, *(list,) * 8, number_array, list)
        await connection.execute(_PUT_ACCOUNTS, *columns(rows, *texts))


async def hold(connection: Executes, held: Mapping[UUID, Collection[Value]]) -> None:
    """Let operators hold values that they did not hold."""
    await _each(connection, _HOLD, held)


async def let_go(connection: Executes, held: Mapping[UUID, Collection[Value]]) -> None:
    """Let operators hold values no longer."""
    await _each(connection, _LET_GO, held)


async def forget(connection: Connection, account_id: UUID) -> None:
    """Forget what an account says. What others of its operator say too, that operator still holds."""
    for own in await read_accounts(connection, ACCOUNTS_BY_ID, {account_id}):
        members = await read_accounts(connection, ACCOUNTS_BY_OPERATOR, {own.operator_id})
        others = frozenset[Value]().union(*(one.attributes.all() for one in members if one.account_id != account_id))
        await let_go(connection, {own.operator_id: own.attributes.all() - others})
    await connection.execute(_DROP_ACCOUNT, account_id)


async def _each(connection: Executes, statement: str, held: Mapping[UUID, Collection[Value]]) -> None:
    values = [value for own in held.values() for value in own]
    if values:
        places = [place for place, own in enumerate(held.values(), 1) for _ in own]
        await connection.execute(statement, number_array(values), number_array(places), list(held))


@lru_cache(maxsize=1_000)
def _stand_in(number: int) -> UUID:
    return UUID(int=number)


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


def _account(row: asyncpg.Record) -> Holder:
    held = _read_numbers(row["held"])
    bands = frozenset(value for value in held if kind_of(value) == Kind.BAND)
    fields = ("account_id", "platform_id", "operator_ref", "operator_id", "opened_at", "stated_at", "banned_at")
    return Holder(
        **{name: row[name] for name in fields},
        attributes=Attributes(held - bands, bands, _name(row), _address(row)),
    )


def _name(row: asyncpg.Record) -> Sketch | None:
    return Sketch(row["name"], 0, _read_numbers(row["name_pieces"])) if row["name"] is not None else None


def _address(row: asyncpg.Record) -> Sketch | None:
    if row["address"] is None:
        return None
    return Sketch(row["address"], row["address_numbers"], _read_numbers(row["address_pieces"]))


def _row(account: Holder) -> tuple[Any, ...]:
    says = account.attributes
    name, there = says.name, says.address
    return (
        account.account_id,
        account.platform_id,
        account.operator_ref,
        account.operator_id,
        account.opened_at,
        account.stated_at,
        account.banned_at,
        _write_numbers(says.all()),
        name.value if name else None,
        _write_numbers(name.pieces if name else ()),
        there.value if there else None,
        there.numbers if there else 0,
        _write_numbers(there.pieces if there else ()),
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


def _read_numbers(stored: bytes) -> frozenset[int]:
    return frozenset(struct.unpack(f">{len(stored) // 8}q", stored))


def _write_numbers(numbers: Collection[int]) -> bytes:
    return struct.pack(f">{len(numbers)}q", *sorted(numbers))
