"""Orders as the documents a platform sends about them, one by one and each at its own time."""

from collections.abc import Callable
from datetime import datetime

from shared.events.platform import (
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
    PlatformEvent,
    ReviewPosted,
)
from simulator.institutions import Institutions
from simulator.listings import Shelf
from simulator.orders import Document, OrderRow
from simulator.platforms import Platform
from simulator.pseudonyms import Pseudonyms
from simulator.reviews import review_text

_SCATTER = 2_654_435_761


class References:
    """References of orders and reviews: they carry the run's tag and do not show who came first."""

    def __init__(self, *, prefix: str, tag: str) -> None:
        self._prefix = f"{prefix}{tag}"

    def order(self, serial: int) -> str:
        """Return the order's reference: an odd factor modulo 2**32 maps every serial to another number."""
        return f"{self._prefix}-{serial * _SCATTER & 0xFFFFFFFF:08X}"

    def review(self, serial: int) -> str:
        """Return the reference of the order's only review."""
        return f"R-{self.order(serial)}"


class Documents:
    """Builds the documents of one platform's orders."""

    def __init__(
        self,
        *,
        platform: Platform,
        shelf: Shelf,
        people: Pseudonyms,
        references: References,
        institutions: Institutions,
    ) -> None:
        self._platform = platform
        self._shelf = shelf
        self._people = people
        self._references = references
        self._institutions = institutions
        self._builders: dict[int, Callable[[OrderRow, datetime, str], PlatformEvent]] = {
            Document.PLACED: self._placed,
            Document.PAID: self._paid,
            Document.PAID_REST: self._paid_rest,
            Document.CANCELLED: self._cancelled,
            Document.SHIPPED: self._shipped,
            Document.DELIVERED: self._delivered,
            Document.REVIEWED: self._reviewed,
        }

    def build(self, document: int, row: OrderRow, at: datetime) -> tuple[str, PlatformEvent]:
        """Return the order's reference and its document of that kind."""
        order_ref = self._references.order(row.serial)
        return order_ref, self._builders[document](row, at, order_ref)

    def _placed(self, row: OrderRow, at: datetime, order_ref: str) -> OrderPlaced:
        lines = [self._line(1, row.listing_1, row.quantity_1, row.freight_1)]
        if row.lines > 1:
            lines.append(self._line(2, row.listing_2, row.quantity_2, row.freight_2))
        if row.lines > 2:
            lines.append(self._line(3, row.listing_3, row.quantity_3, row.freight_3))
        return OrderPlaced(
            order_ref=order_ref,
            buyer_ref=self._people.person(row.buyer),
            lines=lines,
            currency=self._platform.currency,
            placed_at=at,
            device_ref=self._people.device(row.device),
            address_ref=self._people.address(row.address),
            ip_ref=self._people.ip(row.ip),
        )

    def _line(self, number: int, listing: int, quantity: int, freight_minor: int) -> OrderLine:
        return OrderLine(
            line_ref=str(number),
            listing_ref=self._shelf.refs[listing],
            operator_ref=self._shelf.operator_refs[listing],
            quantity=quantity,
            unit_price_minor=self._shelf.prices[listing],
            freight_minor=freight_minor,
        )

    def _paid(self, row: OrderRow, at: datetime, order_ref: str) -> PaymentMade:
        return self._payment(row, at, f"P1-{order_ref}", order_ref, row.first_part)

    def _paid_rest(self, row: OrderRow, at: datetime, order_ref: str) -> PaymentMade:
        return self._payment(row, at, f"P2-{order_ref}", order_ref, row.paid - row.first_part)

    def _payment(self, row: OrderRow, at: datetime, payment_ref: str, order_ref: str, amount_minor: int) -> PaymentMade:
        institution_id, channel = self._institutions.of(row, at)
        return PaymentMade(
            payment_ref=payment_ref,
            order_ref=order_ref,
            amount_minor=amount_minor,
            currency=self._platform.currency,
            paid_at=at,
            payer_ref=self._people.person(row.buyer),
            channel=channel,
            institution_id=institution_id,
        )

    def _cancelled(self, _: OrderRow, at: datetime, order_ref: str) -> OrderCancelled:
        return OrderCancelled(order_ref=order_ref, cancelled_at=at)

    def _shipped(self, row: OrderRow, at: datetime, order_ref: str) -> ParcelShipped:
        return ParcelShipped(
            waybill_ref=f"W-{order_ref}",
            order_ref=order_ref,
            courier=self._courier(row),
            consignee_ref=self._people.person(row.buyer),
            weight_g=row.weight_g,
            declared_contents=self._shelf.categories[row.listing_1],
            shipped_at=at,
        )

    def _delivered(self, row: OrderRow, at: datetime, order_ref: str) -> ParcelDelivered:
        return ParcelDelivered(
            waybill_ref=f"W-{order_ref}",
            order_ref=order_ref,
            courier=self._courier(row),
            consignee_ref=self._people.person(row.buyer),
            weight_g=row.weight_g,
            delivered_at=at,
        )

    def _courier(self, row: OrderRow) -> str:
        couriers = self._platform.couriers
        return couriers[row.listing_1 % len(couriers)]

    def _reviewed(self, row: OrderRow, at: datetime, order_ref: str) -> ReviewPosted:
        return ReviewPosted(
            review_ref=self._references.review(row.serial),
            order_ref=order_ref,
            rating=row.rating,
            posted_at=at,
            listing_ref=self._shelf.refs[row.listing_1],
            buyer_ref=self._people.person(row.buyer),
            text=review_text(row.text, row.rating),
        )
