"""A hash chain for each platform over what it stated: kept with each batch, linked by one process, verified by anybody.

What is chained and what that proves: ADR 12.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import ledger
from services.risk.ledger import GENESIS, Break, Link
from services.risk.ledger_tables import WHOLE, Chain, ChainLink
from services.risk.statements import Stated
from shared.database import driver
from shared.errors import NotFound
from shared.events.listings import TransactionEvent
from shared.events.risk import ChainExtended
from shared.identifiers import as_key, derived_id, new_id
from shared.messaging import publish

MOST_LINKS = 500

_STORE = """
    INSERT INTO chain_links (id, platform_id, entries, content, months, flips)
    SELECT i, p, e, c, m::jsonb, f::jsonb
    FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bytea[], $5::text[], $6::text[]) AS x (i, p, e, c, m, f)
"""
# One process links at a time: the second waits, and finds the work done.
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('risk.chains'))"
_WAITING = "SELECT pg_advisory_xact_lock_shared(hashtext('risk.chains'))"
_UNCHAINED = """
    SELECT id, platform_id, entries, content, months, flips FROM chain_links WHERE sequence IS NULL ORDER BY id LIMIT $1
"""
_HEADS = "SELECT platform_id, length, hash, entries FROM chains WHERE platform_id = ANY ($1)"
_CHAIN = """
    UPDATE chain_links l SET sequence = x.s, hash = x.h FROM unnest($1::uuid[], $2::bigint[], $3::bytea[])
        AS x (i, s, h) WHERE l.id = x.i
"""
_EXTEND = """
    INSERT INTO chains (platform_id, length, hash, entries, since, extended_at)
    SELECT p, l, h, e, $5, $5 FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[]) AS x (p, l, h, e)
    ON CONFLICT (platform_id) DO UPDATE SET length = excluded.length, hash = excluded.hash, entries = excluded.entries,
        extended_at = excluded.extended_at
"""
_COUNT = """
    INSERT INTO platform_months (platform_id, account_id, month, currency, orders, amount_minor, version)
    SELECT p, i, m, c, o, a, 1 FROM unnest($1::text[], $2::uuid[], $3::date[], $4::text[], $5::bigint[], $6::bigint[])
        AS x (p, i, m, c, o, a)
    ON CONFLICT (platform_id, account_id, month, currency) DO UPDATE SET
        orders = platform_months.orders + excluded.orders,
        amount_minor = platform_months.amount_minor + excluded.amount_minor, version = platform_months.version + 1
"""
_COUNT_FLIPS = """
    INSERT INTO flag_days (platform_id, account_id, day, flag, flips)
    SELECT p, a, $5, f, n FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[]) AS x (p, a, f, n)
    ON CONFLICT (platform_id, account_id, day, flag) DO UPDATE SET flips = flag_days.flips + excluded.flips
"""

# Whose it is (nobody's alone: the platform's), year, month, currency.
Month = tuple[UUID | None, int, int, str]


class ChainNotFound(NotFound):
    """Nothing that a platform stated has been chained."""


class Change(NamedTuple):
    """A revision with what was stated before and after it, and whose it was before."""

    event: TransactionEvent
    before: Stated | None
    after: Stated
    account_before: UUID | None


class Head(NamedTuple):
    """Where a chain ends."""

    length: int
    hash: bytes
    entries: int


class Verified(NamedTuple):
    """What checking some links came to: up to where they are as they were chained, and the first that is not."""

    length: int
    checked_to: int
    broken_at: Break | None


async def record(session: AsyncSession, changes: Sequence[Change]) -> None:
    """Keep what each platform stated in a batch, a row for each; it waits to be linked, so no batch waits for it."""
    of_platform: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        of_platform[change.event.platform_id].append(change)
    rows = [
        (
            new_id(),
            platform_id,
            len(own),
            ledger.pack([ledger.entry(change.event) for change in own]),
            msgspec.json.encode(_months(own)).decode(),
            msgspec.json.encode(_flips(own)).decode(),
        )
        for platform_id, own in of_platform.items()
    ]
    if rows:
        await (await driver(session)).execute(_STORE, *map(list, zip(*rows, strict=True)))


def _months(changes: Sequence[Change]) -> list[tuple[object, ...]]:
    """Return what a batch adds to months: an order counts once to its platform, and once to each who sold in it."""
    orders: Counter[Month] = Counter()
    amounts: Counter[Month] = Counter()
    for change in changes:
        now = _counted(change.after, account_of(change.event))
        before = _counted(change.before, change.account_before) if change.before is not None else ()
        # Most revisions change nothing of it.
        if now == before:
            continue
        for counted, sign in ((before, -1), (now, 1)):
            # The order as a whole is in each of its parts.
            for month, amount_minor in counted if change.event.part == 0 else counted[1:]:
                orders[month] += sign
                amounts[month] += sign * amount_minor
    return [
        (f"{year:04}-{month:02}-01", currency, n, amount_minor, *([str(account)] if account is not None else []))
        for (account, year, month, currency), n in sorted(orders.items(), key=lambda one: (str(one[0][0]), one[0][1:]))
        if (amount_minor := amounts[account, year, month, currency]) or n
    ]


def _counted(stated: Stated, account: UUID | None) -> tuple[tuple[Month, int], ...]:
    """Return to which months something counts, with what: the platform's, then the account's where it is known."""
    if (placed := stated.placed_at) is None:
        return ()
    whole = ((None, placed.year, placed.month, stated.currency), stated.due_minor)
    if account is None:
        return (whole,)
    return whole, ((account, placed.year, placed.month, stated.currency), stated.own_minor)


def account_of(event: TransactionEvent) -> UUID | None:
    """Return whose part of a transaction it is; nobody's while the order is unknown."""
    return as_key(event.trade.account_id) if event.trade is not None else None


def _flips(changes: Sequence[Change]) -> list[tuple[str, str, int]]:
    """Return how many orders of each operator were flagged that had come without the flag."""
    flips: Counter[tuple[str, str]] = Counter()
    for event, before, after, _ in changes:
        if before is None or event.trade is None:
            continue
        if after.cancelled and not before.cancelled:
            flips[str(event.trade.account_id), "cancelled"] += 1
        if after.returned and not before.returned:
            flips[str(event.trade.account_id), "returned"] += 1
    return [(*key, n) for key, n in sorted(flips.items())]


async def link(session: AsyncSession, *, at: datetime) -> int:
    """Give a place and a hash to what waits for them, publish the new heads, and return how many links were made."""
    connection = await driver(session)
    await connection.execute(_ALONE)
    rows = await connection.fetch(_UNCHAINED, MOST_LINKS)
    if not rows:
        return 0
    platforms = sorted({row["platform_id"] for row in rows})
    heads = {platform: Head(0, GENESIS, 0) for platform in platforms}
    known = await connection.fetch(_HEADS, platforms)
    heads |= {row["platform_id"]: Head(row["length"], row["hash"], row["entries"]) for row in known}
    places = []
    for row in rows:
        before = heads[row["platform_id"]]
        made = ledger.link_hash(before.hash, before.length + 1, row["content"])
        heads[row["platform_id"]] = Head(before.length + 1, made, before.entries + row["entries"])
        places.append((row["id"], before.length + 1, made))
    await connection.execute(_CHAIN, *map(list, zip(*places, strict=True)))
    ends = zip(*((platform, *heads[platform]) for platform in platforms), strict=True)
    await connection.execute(_EXTEND, *map(list, ends), at)
    await _count(session, rows)
    await _count_flips(session, rows, at.date())
    await publish(session, [_extended(platform, heads[platform], at) for platform in platforms], source="risk")
    return len(rows)


async def _count(session: AsyncSession, rows: Sequence[asyncpg.Record]) -> None:
    """Add what links change to the months of their platforms and accounts."""
    orders: Counter[tuple[str, UUID, date, str]] = Counter()
    amounts: Counter[tuple[str, UUID, date, str]] = Counter()
    for row in rows:
        for month, currency, n, amount_minor, *account in row["months"]:
            key = (row["platform_id"], UUID(*account) if account else WHOLE, date.fromisoformat(month), currency)
            orders[key] += n
            amounts[key] += amount_minor
    counted = [(*key, orders[key], amounts[key]) for key in sorted(orders)]
    if counted:
        await (await driver(session)).execute(_COUNT, *map(list, zip(*counted, strict=True)))


async def _count_flips(session: AsyncSession, rows: Sequence[asyncpg.Record], day: date) -> None:
    flips: Counter[tuple[str, UUID, str]] = Counter()
    for row in rows:
        for account, flag, n in row["flips"]:
            flips[row["platform_id"], UUID(account), flag] += n
    counted = [(*key, flips[key]) for key in sorted(flips)]
    if counted:
        await (await driver(session)).execute(_COUNT_FLIPS, *map(list, zip(*counted, strict=True)), day)


def _extended(platform_id: str, head: Head, at: datetime) -> ChainExtended:
    return ChainExtended(
        occurred_at=at,
        chain_id=derived_id("chain", platform_id),
        platform_id=platform_id,
        length=head.length,
        hash=head.hash.hex(),
        entries=head.entries,
    )


async def head(session: AsyncSession, platform_id: str) -> Chain:
    """Return the head of a platform's chain. Raises ChainNotFound."""
    found = (await session.execute(select(Chain).where(Chain.platform_id == platform_id))).scalar_one_or_none()
    if found is None:
        raise ChainNotFound(f"nothing that {platform_id} stated has been chained")
    return found


async def platforms(session: AsyncSession) -> list[str]:
    """Return the platforms that have a chain."""
    return list((await session.execute(select(Chain.platform_id).order_by(Chain.platform_id))).scalars())


async def one_link(session: AsyncSession, platform_id: str, sequence: int) -> ChainLink:
    """Return one link, to be compared with what a witness kept. Raises ChainNotFound."""
    found = await _links(session, platform_id, sequence - 1, 1)
    if not found or found[0].sequence != sequence:
        raise ChainNotFound(f"the chain of {platform_id} has no link {sequence}")
    return found[0]


async def verify(session: AsyncSession, platform_id: str, *, after: int = 0, most: int = MOST_LINKS) -> Verified:
    """Compute links anew from what is stored, and say which is the first that does not fit. Raises ChainNotFound."""
    # Nothing is linked while the head and the links are read.
    await (await driver(session)).execute(_WAITING)
    top = await head(session, platform_id)
    previous = GENESIS
    if after:
        previous = (await one_link(session, platform_id, after)).hash or b""
    rows = await _links(session, platform_id, after, most)
    links = [Link(row.sequence or 0, row.hash or b"", row.content) for row in rows]
    broken = ledger.first_break(links, after=after, previous=previous)
    checked_to = broken.sequence - 1 if broken else after + len(links)
    if broken is None and len(links) < most:
        broken = _wrong_end(top, checked_to, links[-1].hash if links else previous)
    return Verified(top.length, checked_to, broken)


def _wrong_end(top: Chain, last: int, hash_: bytes) -> Break | None:
    if last < top.length:
        return Break(last + 1, f"link {last + 1} is missing: the head says there are {top.length}")
    if last > top.length or top.hash != hash_:
        return Break(last, f"the head is not the last link, {last}")
    return None


async def _links(session: AsyncSession, platform_id: str, after: int, most: int) -> Sequence[ChainLink]:
    statement = (
        select(ChainLink)
        .where(ChainLink.platform_id == platform_id, ChainLink.sequence > after)
        .order_by(ChainLink.sequence)
        .limit(most)
    )
    return (await session.execute(statement)).scalars().all()
