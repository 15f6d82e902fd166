"""What listings takes from platforms, and whose history each event belongs to."""

from typing import Any

from services.listings.money import is_currency
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
    PlatformEvent,
    ReviewPosted,
    ReviewRemoved,
)
from shared.identifiers import listing_id, transaction_id
from shared.ingest import Ingest
from shared.ingest_faults import Fault

TOPIC = "listings.accepted"


def _transaction(platform_id: str, event: Any) -> Any:  # any document that names its order
    return transaction_id(platform_id, event.order_ref)


def _listing(platform_id: str, event: Any) -> Any:  # any event that names its listing
    return listing_id(platform_id, event.listing_ref)


def fault(event: PlatformEvent) -> Fault | None:
    """Return what is wrong with an event beyond its form: a currency that does not exist."""
    currency = getattr(event, "currency", None)
    if currency is not None and not is_currency(currency):
        return Fault("unknown_currency", f"{currency!r} is not an ISO 4217 currency", "/data/currency")
    return None


INGEST = Ingest(
    topic=TOPIC,
    subjects={
        ListingPublished: _listing,
        ListingChanged: _listing,
        ListingWithdrawn: _listing,
        OrderPlaced: _transaction,
        OrderCancelled: _transaction,
        OrderReturned: _transaction,
        PaymentMade: _transaction,
        ParcelShipped: _transaction,
        ParcelDelivered: _transaction,
        ReviewPosted: _transaction,
        ReviewRemoved: _transaction,
    },
    faults=fault,
)
