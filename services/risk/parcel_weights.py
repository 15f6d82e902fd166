"""What single offers weigh on their way, and in which category each is offered."""

from collections.abc import Collection, Sequence
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.chains import Change
from services.risk.ledgers import Ledger
from services.risk.weights import WEIGHED
from shared.database import driver
from shared.events.listings import ClaimFound, ListingRecorded
from shared.identifiers import listing_id

LEDGER = Ledger("parcel_weights", pl.Schema({"platform_id": pl.String, **WEIGHED}))

# What is withdrawn is still on its way to those who bought it: the category stays.
_OFFERS = """
    INSERT INTO offers (listing_id, platform_id, category, version, told_at)
    SELECT i, p, c, v, now() FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[]) AS x (i, p, c, v)
    ON CONFLICT (listing_id) DO UPDATE SET category = excluded.category, version = excluded.version, told_at = now()
    WHERE offers.version < excluded.version
"""
_CATEGORIES = "SELECT listing_id, category FROM offers WHERE listing_id = ANY ($1::uuid[]) AND category IS NOT NULL"


async def record(session: AsyncSession, changes: Sequence[Change]) -> None:
    """Keep the weight of parcels that carry one offer of one operator alone, once order and parcel are known."""
    await LEDGER.keep(session, [row for change in changes if (row := _row(change)) is not None])


async def record_offers(session: AsyncSession, events: Sequence[ListingRecorded | ClaimFound]) -> None:
    """Keep in which category offers are, as their newest version says."""
    newest: dict[UUID, ListingRecorded] = {}
    for event in events:
        known = newest.get(event.listing_id)
        if isinstance(event, ListingRecorded) and (known is None or known.version < event.version):
            newest[event.listing_id] = event
    rows = [(key, one.platform_id, one.category, one.version) for key, one in sorted(newest.items())]
    if rows:
        await (await driver(session)).execute(_OFFERS, *map(list, zip(*rows, strict=True)))


async def categories(session: AsyncSession, offers: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the categories of offers, by platform and reference, as far as they have one."""
    ids = {listing_id(*offer): offer for offer in offers}
    rows = await (await driver(session)).fetch(_CATEGORIES, list(ids))
    return {ids[UUID(int=row["listing_id"].int)]: row["category"] for row in rows}


def _row(change: Change) -> tuple[object, ...] | None:
    event, before, after, account_before = change
    trade = event.trade
    was_known = after is before or (before is not None and before.parcels > 0 and account_before is not None)
    if trade is None or was_known or event.parcels != 1 or not event.weight_g:
        return None
    if event.parts != 1 or len(set(trade.listing_refs)) != 1:
        return None
    at = event.shipped_at or event.delivered_at or event.occurred_at
    grams = event.weight_g / max(trade.quantity, 1)
    return event.platform_id, trade.account_id.bytes, trade.listing_refs[0], event.order_ref, grams, at
