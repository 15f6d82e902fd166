"""Door 2: one function per kind of event, as it comes back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.listings import items, transactions
from services.listings.recent import Recent
from services.listings.rule_values import Limits
from shared.clock import utc_now
from shared.consumer import Handlers, Received
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


class Door:
    """The handlers, with what they keep between batches."""

    def __init__(self) -> None:
        self._recent = Recent()
        self._limits = Limits()

    async def on_documents(self, session: AsyncSession, received: Sequence[Received]) -> None:
        """Merge documents and reviews into their transactions."""
        limits = await self._limits.tolerances(session, on=utc_now().date())
        await transactions.record(session, received, limits, self._recent)

    async def on_listings(self, session: AsyncSession, received: Sequence[Received]) -> None:
        """Add versions of listings."""
        await items.record(session, received)


_DOOR = Door()

HANDLERS: Handlers = {
    OrderPlaced: _DOOR.on_documents,
    OrderCancelled: _DOOR.on_documents,
    OrderReturned: _DOOR.on_documents,
    PaymentMade: _DOOR.on_documents,
    ParcelShipped: _DOOR.on_documents,
    ParcelDelivered: _DOOR.on_documents,
    ReviewPosted: _DOOR.on_documents,
    ReviewRemoved: _DOOR.on_documents,
    ListingPublished: _DOOR.on_listings,
    ListingChanged: _DOOR.on_listings,
    ListingWithdrawn: _DOOR.on_listings,
}
