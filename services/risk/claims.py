"""What offers claim and what is complained of: kept as listings and disputes publish it, in any order of complaints."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import driver
from shared.events.disputes import ComplaintFiled, ComplaintResolved
from shared.events.listings import ClaimFound, ListingRecorded

# How a complaint ends that was none.
GROUNDLESS = ("dismissed", "withdrawn")

_LOAD = """
    SELECT listing_id, code, platform_id, account_id, listing_ref, version, found_at, ended_at
    FROM claims WHERE listing_id = ANY ($1::uuid[]) ORDER BY listing_id, code FOR UPDATE
"""
_KEEP = """
    INSERT INTO claims (listing_id, code, platform_id, account_id, listing_ref, version, found_at, ended_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::int[], $7::timestamptz[],
        $8::timestamptz[])
    ON CONFLICT (listing_id, code) DO UPDATE SET account_id = excluded.account_id, version = excluded.version,
        found_at = excluded.found_at, ended_at = excluded.ended_at
"""
_FILE = """
    INSERT INTO grievances (complaint_id, platform_id, account_id, order_ref, category, filed_at, outcome)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
    ON CONFLICT (complaint_id) DO UPDATE SET outcome = coalesce(excluded.outcome, grievances.outcome)
"""


class Standing(NamedTuple):
    """A claim of an offer: the newest version that makes it, since when, and until when where it is over."""

    listing_id: UUID
    code: str
    platform_id: str
    account_id: UUID
    listing_ref: str
    version: int
    found_at: datetime
    ended_at: datetime | None


# The claims of offers, by offer and kind.
Offers: TypeAlias = dict[UUID, dict[str, Standing]]


async def record(session: AsyncSession, events: Sequence[ListingRecorded | ClaimFound]) -> None:
    """Keep what offers claim, version by version: each ends what earlier ones claimed and it does not."""
    connection = await driver(session)
    offers: Offers = {}
    for row in await connection.fetch(_LOAD, sorted({event.listing_id for event in events})):
        offers.setdefault(row["listing_id"], {})[row["code"]] = Standing(*row.values())
    before = {one for own in offers.values() for one in own.values()}
    for event in events:
        _apply(offers.setdefault(event.listing_id, {}), event)
    changed = sorted({one for own in offers.values() for one in own.values()} - before, key=lambda one: one[:2])
    if changed:
        await connection.execute(_KEEP, *map(list, zip(*changed, strict=True)))


def _apply(own: dict[str, Standing], event: ListingRecorded | ClaimFound) -> None:
    """Let a version of an offer come, or what it claims, which comes after it."""
    if isinstance(event, ListingRecorded):
        for code, one in own.items():
            if one.version < event.version and one.ended_at is None:
                own[code] = one._replace(ended_at=event.occurred_at)
        return
    known = own.get(event.code)
    if known is not None and known.version >= event.version:
        return
    since = known.found_at if known is not None and known.version == event.version - 1 else event.occurred_at
    named = (event.listing_id, event.code, event.platform_id, event.account_id, event.listing_ref)
    own[event.code] = Standing(*named, event.version, since, None)


async def file(session: AsyncSession, events: Sequence[ComplaintFiled | ComplaintResolved]) -> None:
    """Keep complaints, and how they ended."""
    newest: dict[UUID, tuple[object, ...]] = {}
    for event in events:
        before = newest.get(event.complaint_id)
        outcome = event.outcome if isinstance(event, ComplaintResolved) else before[-1] if before is not None else None
        newest[event.complaint_id] = (
            event.complaint_id,
            event.platform_id,
            event.account_id,
            event.order_ref,
            event.category,
            event.filed_at if isinstance(event, ComplaintResolved) else event.occurred_at,
            outcome,
        )
    rows = [newest[one] for one in sorted(newest)]
    await (await driver(session)).execute(_FILE, *map(list, zip(*rows, strict=True)))
