"""Where accounts have their shops: whose a page is, and which pages an operator has."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.badge_tables import ShopAddress
from services.identity.shop_pages import page_of
from shared.database import Executes

_GONE = """
    DELETE FROM shop_addresses s USING unnest($1::uuid[]) AS x (account_id)
    WHERE s.account_id = x.account_id
        AND NOT EXISTS (SELECT FROM unnest($2::uuid[], $3::text[]) AS k (a, p) WHERE a = s.account_id AND p = s.address)
"""
_THERE = """
    INSERT INTO shop_addresses (account_id, address, url, operator_id, platform_id)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[])
    ON CONFLICT (account_id, address) DO UPDATE SET url = excluded.url, operator_id = excluded.operator_id
"""


class Shops(NamedTuple):
    """The shops that an account's newest file names."""

    account_id: UUID
    operator_id: UUID
    platform_id: str
    urls: Sequence[str]


async def record(connection: Executes, stated: Sequence[Shops]) -> None:
    """Keep where accounts have their shops now; the last word on an account counts. An ended one has none."""
    newest = {one.account_id: one for one in stated}
    if not newest:
        return
    there = {
        (one.account_id, page.text): (url, one.operator_id, one.platform_id)
        for one in newest.values()
        for url in one.urls
        if (page := page_of(url)) is not None
    }
    ordered = sorted(there.items())
    accounts, addresses = [key[0] for key, _ in ordered], [key[1] for key, _ in ordered]
    await connection.execute(_GONE, sorted(newest), accounts, addresses)
    if ordered:
        urls, operators, platforms = (list(column) for column in zip(*(own for _, own in ordered), strict=True))
        await connection.execute(_THERE, accounts, addresses, urls, operators, platforms)


async def shop_at(session: AsyncSession, url: str) -> ShopAddress | None:
    """Return the shop that a page is of: the nearest front page it lies under."""
    page = page_of(url)
    if page is None:
        return None
    statement = select(ShopAddress).where(ShopAddress.address.in_(page.fronts()))
    rows = (await session.execute(statement)).scalars().all()
    return max(rows, key=lambda row: (len(row.address), row.account_id), default=None)


async def shops_of(session: AsyncSession, operator_id: UUID, *, limit: int) -> list[ShopAddress]:
    """Return shops of an operator, on every platform."""
    statement = select(ShopAddress).where(ShopAddress.operator_id == operator_id).order_by(ShopAddress.address)
    return list((await session.execute(statement.limit(limit))).scalars())
