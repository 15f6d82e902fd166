"""Offers that are held because their operators lack a qualification, by identity's word."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.models import HeldListing
from shared.events.base import Event
from shared.events.duties import OfferQualified, OfferRefused
from shared.events.listings import ListingAllowed, ListingHeld

Judged = OfferRefused | OfferQualified


async def record(session: AsyncSession, events: Sequence[Judged]) -> list[Event]:
    """Hold and let go offers in the order that identity judged them; return what is told of them."""
    told: list[Event] = []
    for event in events:
        if isinstance(event, OfferRefused):
            row = {**_about(event), "reasons": event.reasons, "since": event.occurred_at}
            statement = insert(HeldListing).values(row)
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=[HeldListing.listing_id], set_={"reasons": statement.excluded.reasons}
                )
            )
            told.append(ListingHeld(occurred_at=event.occurred_at, **_about(event), reasons=event.reasons))
        else:
            await session.execute(delete(HeldListing).where(HeldListing.listing_id == event.listing_id))
            told.append(ListingAllowed(occurred_at=event.occurred_at, **_about(event)))
    return told


async def held_for(session: AsyncSession, listing_id: UUID) -> list[str]:
    """Return why an offer is held; nothing where it is not."""
    found = select(HeldListing.reasons).where(HeldListing.listing_id == listing_id)
    reasons: list[str] | None = (await session.execute(found)).scalar_one_or_none()
    return reasons or []


def _about(event: Judged) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("listing_id", "account_id", "platform_id", "listing_ref")}
