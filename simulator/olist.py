"""Real orders of a marketplace, from a directory in Olist's CSV form, as one platform's events.

What the data does not say is not made up: sellers have no registration number and no name, parcels no
weight, and a canceled order no time of cancellation, so no `order.cancelled` is sent for it (it is counted
in `remarks`). Three times are set here, because events need one: a seller registers an hour and offers
a product a minute before the first sale; a payment without approval was made when the order was placed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from pathlib import Path

from shared.events.platform import (
    Contacts,
    ListingPublished,
    OperatorRegistered,
    OrderLine,
    OrderPlaced,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
    PlatformEvent,
    ReviewPosted,
)
from simulator.cloudevents import CloudEvent, Outgoing, encode, named_event_id
from simulator.complaints import Complaint
from simulator.olist_tables import Item, Order, read_tables
from simulator.records import Findings, MissingFileError

PLATFORM_ID = "olist"
_CURRENCY = "BRL"
_REGISTERED_BEFORE_SALE = timedelta(hours=1)
_PUBLISHED_BEFORE_SALE = timedelta(minutes=1)

_Fact = tuple[datetime, str, str, PlatformEvent]
"""When, about what, under which name unique within the platform, and what."""


@dataclass(frozen=True)
class _Sale:
    """A line with the time of its order; the smallest is the first."""

    at: datetime
    order_id: str
    item: Item

    @property
    def place(self) -> tuple[datetime, str, str]:
        return self.at, self.order_id, self.item.line_ref


class OlistOrders:
    """A source of events. Reads everything at once: a hundred thousand orders take some hundred megabytes."""

    def __init__(self, directory: Path) -> None:
        self.platform_ids = (PLATFORM_ID,)
        self.findings = Findings()
        self._tables = read_tables(directory, self.findings)
        if not self._tables.orders:
            raise MissingFileError(f"{directory} holds no readable order")
        self._count_oddities()
        # At equal times the sequence of documents below decides, then that of the file.
        self._outgoing = [_outgoing(fact) for fact in sorted(self._facts(), key=itemgetter(0))]
        self.expected_events = len(self._outgoing)

    def events(self, platform_id: str) -> Iterator[Outgoing]:
        """Yield the events in order of time."""
        _check_platform(platform_id)
        return iter(self._outgoing)

    def complaints(self, platform_id: str) -> Iterator[Complaint]:
        """Yield nothing: the data holds no complaints."""
        _check_platform(platform_id)
        return iter(())

    def _facts(self) -> Iterator[_Fact]:
        sales = sorted(self._sales(), key=attrgetter("place"))
        yield from self._operators(sales)
        yield from self._listings(sales)
        for orders in self._tables.orders.values():
            for order in orders:
                yield _placed(order, self._tables.items.get(order.order_id, []))
        yield from self._payments()
        for orders in self._tables.orders.values():
            for order in orders:
                yield from _parcel(order)
        yield from self._reviews()

    def _sales(self) -> Iterator[_Sale]:
        for order_id, items in self._tables.items.items():
            orders = self._tables.orders.get(order_id)
            for item in items:
                if orders is None:
                    item.record.report("order_id", "no such order: the line has no order to be sent with")
                else:
                    yield _Sale(orders[0].placed_at, order_id, item)

    def _operators(self, sales: Sequence[_Sale]) -> Iterator[_Fact]:
        first_sale = {sale.item.seller_id: sale.at for sale in reversed(sales)}
        beginning = min(order.placed_at for orders in self._tables.orders.values() for order in orders)
        known = set()
        for seller in self._tables.sellers:
            known.add(seller.seller_id)
            at = first_sale.get(seller.seller_id, beginning) - _REGISTERED_BEFORE_SALE
            registered = OperatorRegistered(
                operator_ref=seller.seller_id,
                legal_name=f"Seller {seller.seller_id[:8]}",
                entity_type="company",
                jurisdiction="BR",
                contacts=Contacts(address=seller.address) if seller.address else None,
            )
            yield at, seller.seller_id, f"operator/{seller.seller_id}{seller.variant}", registered
        for sale in sales:
            if sale.item.seller_id not in known:
                sale.item.record.report("seller_id", "not among the sellers: sold without a registration")

    def _listings(self, sales: Sequence[_Sale]) -> Iterator[_Fact]:
        first_sales = {(sale.item.product_id, sale.item.seller_id): sale for sale in reversed(sales)}
        for (product_id, seller_id), sale in first_sales.items():
            if product_id not in self._tables.categories:
                sale.item.record.report("product_id", "not among the products: offered without a category")
            category = self._tables.categories.get(product_id) or None
            published = ListingPublished(
                listing_ref=_listing_ref(sale.item),
                operator_ref=seller_id,
                title=f"{(category or 'product').replace('_', ' ')} {product_id[:8]}",
                category=category,
                price_minor=sale.item.price_minor,
                currency=_CURRENCY,
            )
            at = sale.at - _PUBLISHED_BEFORE_SALE
            yield at, published.listing_ref, f"listing/{published.listing_ref}", published

    def _payments(self) -> Iterator[_Fact]:
        for payment in self._tables.payments:
            orders = self._tables.orders.get(payment.order_id)
            if orders is None:
                payment.record.report("order_id", "no such order, so no time of payment: left out")
                continue
            made = PaymentMade(
                payment_ref=payment.payment_ref,
                order_ref=payment.order_id,
                amount_minor=payment.amount_minor,
                currency=_CURRENCY,
                paid_at=orders[0].approved_at or orders[0].placed_at,
                channel=payment.channel,
            )
            yield made.paid_at, payment.order_id, f"payment/{payment.payment_ref}", made

    def _reviews(self) -> Iterator[_Fact]:
        for review in self._tables.reviews:
            posted = ReviewPosted(
                review_ref=review.review_id,
                order_ref=review.order_id,
                rating=review.rating,
                posted_at=review.posted_at,
                title=review.title,
                text=review.text,
            )
            name = f"review/{review.review_id}/{review.order_id}{review.variant}"
            yield review.posted_at, review.order_id, name, posted

    def _count_oddities(self) -> None:
        remarks = self.findings.remarks
        for orders in self._tables.orders.values():
            for order in orders:
                shipped_at, delivered_at = order.shipped_at, order.delivered_at
                canceled = order.status == "canceled"
                remarks["order canceled at an unknown time, order.cancelled not sent"] += canceled
                remarks["order shipped before it was placed"] += bool(shipped_at and shipped_at < order.placed_at)
                early = bool(shipped_at and delivered_at and delivered_at < shipped_at)
                remarks["order delivered before it was shipped"] += early
                remarks["order without lines"] += order.order_id not in self._tables.items
                remarks["payment without approval, dated as the order"] += order.approved_at is None
        for review_ids in Counter(review.review_id for review in self._tables.reviews).values():
            remarks["review_id that stands for several orders"] += review_ids > 1
        self.findings.remarks = +remarks


def _check_platform(platform_id: str) -> None:
    if platform_id != PLATFORM_ID:
        raise ValueError(f"no platform {platform_id} in this data")


def _placed(order: Order, items: Sequence[Item]) -> _Fact:
    placed = OrderPlaced(
        order_ref=order.order_id,
        buyer_ref=order.buyer_ref,
        lines=[_line(item) for item in items],
        currency=_CURRENCY,
        placed_at=order.placed_at,
    )
    return order.placed_at, order.order_id, f"order/{order.order_id}{order.variant}", placed


def _line(item: Item) -> OrderLine:
    return OrderLine(
        line_ref=item.line_ref,
        listing_ref=_listing_ref(item),
        operator_ref=item.seller_id,
        quantity=1,
        unit_price_minor=item.price_minor,
        freight_minor=item.freight_minor,
    )


def _listing_ref(item: Item) -> str:
    return f"{item.product_id}-{item.seller_id}"


def _parcel(order: Order) -> Iterator[_Fact]:
    waybill_ref, name = f"{order.order_id}-W", f"{order.order_id}{order.variant}"
    if order.shipped_at:
        shipped = ParcelShipped(waybill_ref=waybill_ref, order_ref=order.order_id, shipped_at=order.shipped_at)
        yield order.shipped_at, order.order_id, f"shipped/{name}", shipped
    if order.delivered_at:
        delivered = ParcelDelivered(waybill_ref=waybill_ref, order_ref=order.order_id, delivered_at=order.delivered_at)
        yield order.delivered_at, order.order_id, f"delivered/{name}", delivered


def _outgoing(fact: _Fact) -> Outgoing:
    at, subject, name, data = fact
    return encode(
        CloudEvent(
            id=named_event_id(round(at.timestamp() * 1000), name),
            source=f"/platforms/{PLATFORM_ID}",
            type=data.type,
            time=at,
            subject=subject,
            data=data,
        )
    )
