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
# The most that one amount may be; a sum beyond it would not fit where amounts are stored.
MOST_MINOR = 10**15


def _transaction(platform_id: str, event: Any) -> Any:  # any document that names its order
    return transaction_id(platform_id, event.order_ref)


def _listing(platform_id: str, event: Any) -> Any:  # any event that names its listing
    return listing_id(platform_id, event.listing_ref)


def fault(_: str, event: PlatformEvent) -> Fault | None:
    """Return what is wrong with an event beyond its form: no such currency, or a total beyond any amount."""
    currency = getattr(event, "currency", None)
    if currency is not None and not is_currency(currency):
        return Fault("unknown_currency", f"{currency!r} is not an ISO 4217 currency", "/data/currency")
    if type(event) is OrderPlaced and _total_minor(event) > MOST_MINOR:
        return Fault("out_of_range", f"the lines add up to more than {MOST_MINOR}", "/data/lines")
    return None


def _total_minor(order: OrderPlaced) -> int:
    return sum(line.quantity * line.unit_price_minor + line.freight_minor for line in order.lines)


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
