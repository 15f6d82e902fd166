"""Door 2: one function per kind of event, as it comes back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.listings import holds, items, transactions
from services.listings.recent import Recent
from services.listings.rule_values import RuleValues
from shared.clock import utc_now
from shared.consumer import Handlers
from shared.database import kept
from shared.events.duties import OfferQualified, OfferRefused
from shared.events.platform import (
    ListingChanged,
    ListingPublished,
    ListingWithdrawn,
    OrderCancelled,
    OrderPlaced,
    OrderReturned,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
    ReviewPosted,
    ReviewRemoved,
)
from shared.messaging import publish
from shared.received import Received


async def on_documents(session: AsyncSession, received: Sequence[Received]) -> None:
    """Merge documents and reviews into their transactions."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    limits = values.tolerances(utc_now().date())
    await transactions.record(session, received, limits, kept(session, Recent))


async def on_listings(session: AsyncSession, received: Sequence[Received]) -> None:
    """Add versions of listings."""
    await items.record(session, received)


async def on_judged(session: AsyncSession, received: Sequence[Received]) -> None:
    """Hold offers that identity refuses, and let go those that it no longer does."""
    await publish(session, await holds.record(session, [one.event for one in received]), source="listings")


HANDLERS: Handlers = {
    OrderPlaced: on_documents,
    OrderCancelled: on_documents,
    OrderReturned: on_documents,
    PaymentMade: on_documents,
    ParcelShipped: on_documents,
    ParcelDelivered: on_documents,
    ReviewPosted: on_documents,
    ReviewRemoved: on_documents,
    ListingPublished: on_listings,
    ListingChanged: on_listings,
    ListingWithdrawn: on_listings,
    OfferRefused: on_judged,
    OfferQualified: on_judged,
}
