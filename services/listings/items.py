"""Listings: every version of an offer is kept, the newest one is the offer."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.claims import screened
from shared.database import driver
from shared.events.base import Event
from shared.events.listings import ListingRecorded
from shared.events.platform import ListingWithdrawn
from shared.identifiers import account_id, listing_id
from shared.messaging import publish
from shared.received import Received

_NAMES = ("id", "platform_id", "listing_ref", "event_id", "account_id", "version", "state")
_NEWEST = "SELECT id, version, content::text AS content, account_id FROM listings WHERE id = ANY ($1::uuid[])"
_ADD_VERSIONS = """
    INSERT INTO listing_versions (listing_id, platform_id, event_id, version, state, content)
    SELECT i, p, e, v, s, c::jsonb FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[],
        $6::int[], $7::text[], $8::text[]) AS x (i, p, r, e, a, v, s, c)
"""
_SET_CURRENT = """
    INSERT INTO listings (id, platform_id, listing_ref, account_id, version, state, content)
    SELECT i, p, r, a, v, s, c::jsonb FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[],
        $6::int[], $7::text[], $8::text[]) AS x (i, p, r, e, a, v, s, c)
    ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, version = excluded.version,
        state = excluded.state, content = excluded.content, updated_at = now()
"""


async def record(session: AsyncSession, received: Sequence[Received]) -> None:
    """Add a version for each event and publish it. A withdrawal of an unknown listing has no operator: refused."""
    ids = {_id(one) for one in received}
    newest = {
        row["id"]: {**row, "content": msgspec.json.decode(row["content"])}
        for row in await (await driver(session)).fetch(_NEWEST, list(ids))
    }
    versions, current = [], {}
    events: list[Event] = []
    for one in received:
        identifier = _id(one)
        row = _version(one, identifier, newest.get(identifier))
        newest[identifier] = row
        current[identifier] = row
        versions.append(row)
        events.append(_event(one, row))
        if not isinstance(one.event, ListingWithdrawn):
            events += screened(one, row)
    await _write(session, versions, list(current.values()))
    await publish(session, events, source="listings")


async def _write(session: AsyncSession, versions: Sequence[dict[str, Any]], current: Sequence[dict[str, Any]]) -> None:
    connection = await driver(session)
    rows = [_columns(row) for row in versions]
    await connection.execute(_ADD_VERSIONS, *map(list, zip(*rows, strict=True)))
    rows = [_columns(row) for row in current]
    await connection.execute(_SET_CURRENT, *map(list, zip(*rows, strict=True)))


def _columns(row: dict[str, Any]) -> tuple[object, ...]:
    content = msgspec.json.encode(row["content"]).decode()
    return (*(row[name] for name in _NAMES), content)


def _id(one: Received) -> UUID:
    return listing_id(one.platform_id, one.event.listing_ref)


def _version(one: Received, identifier: UUID, before: dict[str, Any] | None) -> dict[str, Any]:
    platform_id = one.platform_id
    withdrawn = isinstance(one.event, ListingWithdrawn)
    if withdrawn and before is None:
        raise UnknownListing(f"{one.event.listing_ref} was withdrawn but never published")
    return {
        "id": identifier,
        "platform_id": platform_id,
        "listing_ref": one.event.listing_ref,
        "event_id": one.id,
        "account_id": before["account_id"] if withdrawn and before else account_id(platform_id, one.event.operator_ref),
        "version": before["version"] + 1 if before else 1,
        "state": "withdrawn" if withdrawn else "published",
        "content": before["content"] if withdrawn and before else msgspec.to_builtins(one.event),
    }


class UnknownListing(ValueError):
    """A withdrawal names a listing that was never published."""


def _event(one: Received, row: dict[str, Any]) -> ListingRecorded:
    return ListingRecorded(
        occurred_at=one.time,
        listing_id=row["id"],
        account_id=row["account_id"],
        platform_id=row["platform_id"],
        listing_ref=row["listing_ref"],
        version=row["version"],
        state=row["state"],
        category=row["content"].get("category"),
        gtin=row["content"].get("gtin"),
        hs_code=row["content"].get("hs_code"),
    )
