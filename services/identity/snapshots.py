"""Snapshots of pages: kept with what they say, matched with the shop they are of, judged as of the day they show.

What a snapshot comes to depends on what is known of its day and not on what came first: a file that comes later, or a
snapshot that comes late, is looked at as if it had been there.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import displays
from services.identity.blind import BlindIndex
from services.identity.checklists import ITEMS, Item, checked, score
from services.identity.models import RegistrationFile
from services.identity.page_tables import PageSnapshot, ShopStatement
from services.identity.rule_values import OF_THE_LAW, RuleValues
from services.identity.shop_pages import addresses_of, page_of
from shared.database import among, columns, driver, kept, text_array
from shared.events.base import Event
from shared.events.pages import PageCaptured
from shared.identifiers import derived_id
from shared.received import Received
from shared.rule_values import NoSuchRule, Value

# Pages come from one partition and files of accounts from another: what is decided is decided by one at a time.
_TURN = text("SELECT pg_advisory_xact_lock(hashtext('identity.pages'))")
_POINTS = "disclosure.points."
_URLS = """
    SELECT account_id, version, platform_id, (content -> 'shop_urls')::text AS urls
    FROM registration_files WHERE account_id = ANY ($1::uuid[])
"""
_STATE_SHOPS = """
    INSERT INTO shop_statements (account_id, version, address, platform_id)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text::text[], $4::text::text[]) ON CONFLICT DO NOTHING
"""
_decoded = msgspec.json.Decoder(list[str] | None).decode


class _Shops(NamedTuple):
    file: RegistrationFile
    addresses: frozenset[str]


class _Shop(NamedTuple):
    file: RegistrationFile
    address: str


async def record(session: AsyncSession, blind: BlindIndex, received: Sequence[Received]) -> list[Event]:
    """Keep snapshots and judge them; return what is to be published."""
    await session.execute(_TURN)
    values = kept(session, RuleValues)
    await values.refresh(session)
    added: list[UUID] = []
    for one in received:
        row = insert(PageSnapshot).values(**_row(one, values)).on_conflict_do_nothing().returning(PageSnapshot.id)
        if (identifier := (await session.execute(row)).scalar_one_or_none()) is not None:
            added.append(identifier)
    return await _judge(session, blind, PageSnapshot.id.in_(added)) if added else []


async def follow(session: AsyncSession, blind: BlindIndex, accounts: Collection[UUID]) -> list[Event]:
    """Judge again what files of accounts that came may change; return what is to be published."""
    await session.execute(_TURN)
    addresses = await _state_shops(session, accounts)
    affected = among(PageSnapshot.account_id, accounts)
    if addresses:
        affected = affected | PageSnapshot.fronts.overlap(sorted(addresses))
    return await _judge(session, blind, affected, also=accounts)


async def _state_shops(session: AsyncSession, accounts: Collection[UUID]) -> set[str]:
    """Keep where each version of accounts' files says that shops are, and return all those addresses."""
    connection = await driver(session)
    stated = [
        (account, version, address, platform_id)
        for account, version, platform_id, urls in await connection.fetch(_URLS, list(accounts))
        for address in sorted(addresses_of(_decoded(urls) if urls is not None else None))
    ]
    if stated:
        await connection.execute(_STATE_SHOPS, *columns(stated, list, list, text_array, text_array))
    return {address for _, _, address, _ in stated}


async def _judge(
    session: AsyncSession,
    blind: BlindIndex,
    which: Any,  # SQLAlchemy's own kind of condition
    also: Collection[UUID] = (),
) -> list[Event]:
    """Match snapshots of shops with these and judge them; settle the accounts they are of now, and were of before."""
    found = select(PageSnapshot).where(which, PageSnapshot.kind == "shop").order_by(PageSnapshot.id)
    rows = (await session.execute(found.execution_options(populate_existing=True))).scalars().all()
    touched = {row.account_id for row in rows if row.account_id is not None}
    if not rows:
        return []
    shops = await _shops_of(session, rows)
    for row in rows:
        shop = _shop_at(row, shops.get(row.platform_id, ()))
        if shop is None:
            row.account_id = row.operator_id = row.version = row.shop = None
            row.finding, row.codes, row.source = "unmatched", ["shop_unknown"], None
            continue
        row.account_id, row.operator_id = shop.file.account_id, shop.file.operator_id
        row.version, row.shop = shop.file.version, shop.address
        await displays.judge(session, blind, row, shop.file)
        touched.add(shop.file.account_id)
    await session.flush()
    return await displays.settle(session, touched.union(also))


async def _shops_of(session: AsyncSession, rows: Sequence[PageSnapshot]) -> dict[str, list[list[_Shops]]]:
    """Return, by platform, all versions of files of each account that ever had a shop at a front of a page."""
    fronts = {front for row in rows for front in row.fronts}
    named = select(ShopStatement.account_id).where(ShopStatement.address.in_(fronts)).distinct()
    files = select(RegistrationFile).where(RegistrationFile.account_id.in_(named))
    versions: dict[UUID, list[_Shops]] = defaultdict(list)
    for file in (await session.execute(files)).scalars():
        versions[file.account_id].append(_Shops(file, addresses_of(file.content.get("shop_urls"))))
    by_platform: dict[str, list[list[_Shops]]] = defaultdict(list)
    for own in versions.values():
        by_platform[own[0].file.platform_id].append(own)
    return by_platform


def _shop_at(row: PageSnapshot, accounts: Sequence[list[_Shops]]) -> _Shop | None:
    """Return the shop a page was of on its day: the nearest front page it lay under."""
    found: list[_Shop] = []
    for versions in accounts:
        before = [one for one in versions if one.file.stated_at <= row.captured_at]
        # Before the first file that one stands for what it says.
        own = max(before, key=_age) if before else min(versions, key=_age)
        near = max(own.addresses.intersection(row.fronts), key=len, default=None)
        if near is not None:
            found.append(_Shop(own.file, near))
    return max(found, key=lambda shop: (len(shop.address), shop.file.account_id), default=None)


def _age(own: _Shops) -> tuple[datetime, int]:
    return own.file.stated_at, own.file.version


def _row(one: Received, values: RuleValues) -> dict[str, Any]:
    event: PageCaptured = one.event
    reading, page = event.reading, page_of(event.url)
    assert reading is not None, "the door has read it"
    assert page is not None, "the door takes pages on the web only"
    items = checked(reading.marks, _rules(values, event)) if event.kind == "home" else None
    return {
        "id": derived_id("page", one.platform_id, one.id),
        "platform_id": one.platform_id,
        "kind": event.kind,
        "url": page.text,
        "fronts": page.fronts(),
        "captured_at": event.captured_at,
        **{name: getattr(reading, name) for name in ("sha256", "size_bytes", "encoding", "reader", "issues")},
        "marks": msgspec.to_builtins(reading.marks),
        "finding": "unmatched" if items is None else "reported",
        "codes": [] if items is None else [item.code for item in items if item.code is not None],
        "items": None if items is None else [item._asdict() for item in items],
        "score": None if items is None else score(items),
    }


def _rules(values: RuleValues, event: PageCaptured) -> dict[Item, Value]:
    found: dict[Item, Value] = {}
    for item in ITEMS:
        try:
            own = values.apply(f"{_POINTS}{item}", on=event.captured_at.date(), jurisdiction=OF_THE_LAW)
        except NoSuchRule:
            continue
        found[item] = own.value
    return found
