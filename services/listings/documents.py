"""What is known of a transaction: its order, payments and parcels, merged in any order of arrival."""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from shared.events.platform import (
    OrderCancelled,
    OrderPlaced,
    OrderReturned,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
)


class Line(Struct, array_like=True, gc=False):
    """One line: listing, operator, quantity, unit price and freight in minor units."""

    line_ref: str
    listing_ref: str
    operator_ref: str
    quantity: int
    unit_price_minor: int
    freight_minor: int


class Order(Struct, array_like=True, gc=False):
    """What the buyer ordered."""

    buyer_ref: str
    currency: str
    placed_at: datetime
    mode: str
    device_ref: str | None
    address_ref: str | None
    ip_ref: str | None
    lines: list[Line]


class Payment(Struct, array_like=True, gc=False):
    """One payment."""

    amount_minor: int
    currency: str
    paid_at: datetime
    payer_ref: str | None
    # Those that were stored before these were kept have neither.
    channel: str | None = None
    institution_id: str | None = None


class Parcel(Struct, array_like=True, gc=False):
    """What shipping and delivery say of one waybill; the weights and consignees they state may differ."""

    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    courier: str | None = None
    consignee_ref: str | None = None
    weight_g: int | None = None
    delivered_weight_g: int | None = None
    delivered_consignee_ref: str | None = None


class Documents(Struct, array_like=True, gc=False):
    """Every document of one transaction, by the platform's references."""

    order: Order | None = None
    payments: dict[str, Payment] = {}
    parcels: dict[str, Parcel] = {}
    cancelled_at: datetime | None = None
    returned_at: datetime | None = None

    @property
    def lines(self) -> list[Line]:
        """Return the order's lines; none while the order is unknown."""
        return self.order.lines if self.order is not None else []

    def times(self) -> list[datetime]:
        """Return when each document says that something happened."""
        stated = [payment.paid_at for payment in self.payments.values()]
        if self.order is not None:
            stated.append(self.order.placed_at)
        for parcel in self.parcels.values():
            stated += [at for at in (parcel.shipped_at, parcel.delivered_at) if at is not None]
        return stated + [at for at in (self.cancelled_at, self.returned_at) if at is not None]

    def add(self, event: Any) -> None:
        """Merge one document; the same reference sent again replaces what it said before."""
        _ADD[type(event)](self, event)


def _add_order(documents: Documents, event: OrderPlaced) -> None:
    documents.order = Order(
        event.buyer_ref,
        event.currency,
        event.placed_at.astimezone(UTC),
        event.mode,
        event.device_ref,
        event.address_ref,
        event.ip_ref,
        [
            Line(
                line.line_ref,
                line.listing_ref,
                line.operator_ref,
                line.quantity,
                line.unit_price_minor,
                line.freight_minor,
            )
            for line in event.lines
        ],
    )


def _add_payment(documents: Documents, event: PaymentMade) -> None:
    documents.payments[event.payment_ref] = Payment(
        event.amount_minor,
        event.currency,
        event.paid_at.astimezone(UTC),
        event.payer_ref,
        event.channel,
        event.institution_id,
    )


def _add_shipment(documents: Documents, event: ParcelShipped) -> None:
    parcel = documents.parcels.setdefault(event.waybill_ref, Parcel())
    parcel.shipped_at = event.shipped_at.astimezone(UTC)
    parcel.weight_g = event.weight_g
    parcel.courier = event.courier or parcel.courier
    parcel.consignee_ref = event.consignee_ref


def _add_delivery(documents: Documents, event: ParcelDelivered) -> None:
    parcel = documents.parcels.setdefault(event.waybill_ref, Parcel())
    parcel.delivered_at = event.delivered_at.astimezone(UTC)
    parcel.delivered_weight_g = event.weight_g
    parcel.delivered_consignee_ref = event.consignee_ref
    # What was stated at shipping stands, whichever of the two came first.
    parcel.courier = parcel.courier or event.courier


def _add_cancellation(documents: Documents, event: OrderCancelled) -> None:
    documents.cancelled_at = event.cancelled_at.astimezone(UTC)


def _add_return(documents: Documents, event: OrderReturned) -> None:
    documents.returned_at = event.returned_at.astimezone(UTC)


_ADD: dict[type[Any], Any] = {
    OrderPlaced: _add_order,
    PaymentMade: _add_payment,
    ParcelShipped: _add_shipment,
    ParcelDelivered: _add_delivery,
    OrderCancelled: _add_cancellation,
    OrderReturned: _add_return,
}
