"""What platforms send: one struct per type of contract, named after the fact it states."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

Ref = Annotated[str, Meta(min_length=1, max_length=200, description="The platform's own reference")]
Text = Annotated[str, Meta(max_length=20_000)]
Name = Annotated[str, Meta(min_length=1, max_length=500)]
Amount = Annotated[int, Meta(ge=0, le=10**15, description="Minor units of the currency")]
Currency = Annotated[str, Meta(min_length=3, max_length=3, description="ISO 4217 alphabetic code")]
Country = Annotated[str, Meta(min_length=2, max_length=2, description="ISO 3166-1 alpha-2 code")]
Zoned = Annotated[datetime, Meta(tz=True)]
Mode = Literal["B2B", "B2C", "C2C"]
Purpose = Annotated[str, Meta(min_length=1, max_length=80, description="Such as marketing, enrolment, order")]
Channel = Annotated[str, Meta(min_length=1, max_length=40, description="Such as sms, email, phone, app")]
IncidentKind = Literal[
    "data_breach",
    "intrusion",
    "malware",
    "phishing",
    "account_takeover",
    "denial_of_service",
    "payment_fraud",
    "defacement",
    "other",
]


class PlatformEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Data of a platform's event; `to` is the service that takes it."""

    type: ClassVar[str]
    to: ClassVar[str]


class Registration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number in a public register: scheme (such as `uscc`, `vat`, `ein`, `cnpj`) and number."""

    scheme: Annotated[str, Meta(min_length=1, max_length=40)]
    number: Annotated[str, Meta(min_length=1, max_length=80)]


class Licence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A business licence with the categories it covers."""

    number: Annotated[str, Meta(min_length=1, max_length=80)]
    issued_on: date | None = None
    expires_on: date | None = None
    scope: list[Name] = []


class Qualification(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A further permit, such as food trade."""

    kind: Name
    number: Annotated[str, Meta(min_length=1, max_length=80)]
    expires_on: date | None = None


class Contacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an operator is reached; personal data, kept by identity only."""

    address: Text | None = None
    phone: Annotated[str, Meta(max_length=60)] | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None


class _OperatorFile(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    to: ClassVar[str] = "identity"
    operator_ref: Ref
    legal_name: Name
    entity_type: Annotated[str, Meta(min_length=1, max_length=40)]
    jurisdiction: Country
    registration: Registration | None = None
    licence: Licence | None = None
    qualifications: list[Qualification] = []
    representative: Name | None = None
    contacts: Contacts | None = None
    bank_accounts: list[Ref] = []
    devices: list[Ref] = []
    customs_registration: Annotated[str, Meta(max_length=80)] | None = None
    mode: Mode = "B2C"
    shop_urls: list[Annotated[str, Meta(max_length=2_000)]] = []
    # Personal data by field, encrypted at the door; the fields themselves are left out then. Platforms do not send it.
    sealed: dict[str, str] = {}


class OperatorRegistered(_OperatorFile, frozen=True, kw_only=True, omit_defaults=True):
    """A merchant opened an account on the platform."""

    type: ClassVar[str] = "platform.operator.registered.v1"


class OperatorChanged(_OperatorFile, frozen=True, kw_only=True, omit_defaults=True):
    """A merchant's registration file changed; the new file is sent whole."""

    type: ClassVar[str] = "platform.operator.changed.v1"


class OperatorDeregistered(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A merchant left the platform or was removed from it."""

    type: ClassVar[str] = "platform.operator.deregistered.v1"
    to: ClassVar[str] = "identity"
    operator_ref: Ref
    reason: Literal["left", "removed", "banned"] = "left"


class ConsentRecorded(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A person gave or withdrew consent to something; without a channel, to all of them."""

    type: ClassVar[str] = "platform.consent.recorded.v1"
    to: ClassVar[str] = "identity"
    person_ref: Ref
    purpose: Purpose
    channel: Channel | None = None
    granted: bool = True
    # When it was given or withdrawn; the event's time where it is not stated.
    granted_at: Zoned | None = None


class MessageSent(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A platform, or an operator on it, wrote to a person, or enrolled it in something."""

    type: ClassVar[str] = "platform.message.sent.v1"
    to: ClassVar[str] = "identity"
    person_ref: Ref
    purpose: Purpose
    channel: Channel
    operator_ref: Ref | None = None
    sent_at: Zoned | None = None


class _ListingFile(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    to: ClassVar[str] = "listings"
    listing_ref: Ref
    operator_ref: Ref
    title: Text
    description: Text | None = None
    category: Name | None = None
    brand: Name | None = None
    price_minor: Amount | None = None
    currency: Currency | None = None
    gtin: Annotated[str, Meta(max_length=40)] | None = None
    hs_code: Annotated[str, Meta(max_length=40)] | None = None
    origin_country: Country | None = None
    manufacturer: Name | None = None
    inspection_reports: list[Ref] = []
    licences: list[Ref] = []
    image_hashes: list[Ref] = []
    stock: Annotated[int, Meta(ge=0, le=10**12)] | None = None


class ListingPublished(_ListingFile, frozen=True, kw_only=True, omit_defaults=True):
    """An operator offers something."""

    type: ClassVar[str] = "platform.listing.published.v1"


class ListingChanged(_ListingFile, frozen=True, kw_only=True, omit_defaults=True):
    """An offer changed; it is sent whole."""

    type: ClassVar[str] = "platform.listing.changed.v1"


class ListingWithdrawn(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An offer ended."""

    type: ClassVar[str] = "platform.listing.withdrawn.v1"
    to: ClassVar[str] = "listings"
    listing_ref: Ref


class OrderLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order; its total is quantity × unit price + freight."""

    line_ref: Ref
    listing_ref: Ref
    operator_ref: Ref
    quantity: Annotated[int, Meta(ge=1, le=10**6)]
    unit_price_minor: Amount
    freight_minor: Amount = 0


class OrderPlaced(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A buyer ordered; `lines` may be empty where the platform has none on file."""

    type: ClassVar[str] = "platform.order.placed.v1"
    to: ClassVar[str] = "listings"
    order_ref: Ref
    buyer_ref: Ref
    lines: Annotated[list[OrderLine], Meta(max_length=1_000)]
    currency: Currency
    placed_at: Zoned
    mode: Mode = "B2C"
    device_ref: Ref | None = None
    address_ref: Ref | None = None
    ip_ref: Ref | None = None
    prescription_ref: Ref | None = None


class OrderCancelled(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An order was cancelled before it was fulfilled."""

    type: ClassVar[str] = "platform.order.cancelled.v1"
    to: ClassVar[str] = "listings"
    order_ref: Ref
    cancelled_at: Zoned


class OrderReturned(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Goods of an order came back."""

    type: ClassVar[str] = "platform.order.returned.v1"
    to: ClassVar[str] = "listings"
    order_ref: Ref
    returned_at: Zoned


class PaymentMade(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """One payment towards an order; an order may have several."""

    type: ClassVar[str] = "platform.payment.made.v1"
    to: ClassVar[str] = "listings"
    payment_ref: Ref
    order_ref: Ref
    amount_minor: Amount
    currency: Currency
    paid_at: Zoned
    payer_ref: Ref | None = None
    channel: Annotated[str, Meta(max_length=80)] | None = None
    institution_id: Ref | None = None


class _Parcel(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    to: ClassVar[str] = "listings"
    waybill_ref: Ref
    order_ref: Ref
    courier: Annotated[str, Meta(max_length=80)] | None = None
    consignee_ref: Ref | None = None
    weight_g: Annotated[int, Meta(ge=0, le=10**9, description="Grams")] | None = None
    declared_contents: Text | None = None


class ParcelShipped(_Parcel, frozen=True, kw_only=True, omit_defaults=True):
    """A parcel of an order was handed to the carrier."""

    type: ClassVar[str] = "platform.parcel.shipped.v1"
    shipped_at: Zoned


class ParcelDelivered(_Parcel, frozen=True, kw_only=True, omit_defaults=True):
    """A parcel of an order reached its consignee."""

    type: ClassVar[str] = "platform.parcel.delivered.v1"
    delivered_at: Zoned


class ReviewPosted(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A buyer reviewed an order or one listing of it. `review_ref` alone need not be unique."""

    type: ClassVar[str] = "platform.review.posted.v1"
    to: ClassVar[str] = "listings"
    review_ref: Ref
    order_ref: Ref
    rating: Annotated[int, Meta(ge=1, le=5)]
    posted_at: Zoned
    listing_ref: Ref | None = None
    buyer_ref: Ref | None = None
    title: Text | None = None
    text: Text | None = None


class ReviewRemoved(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A review was taken down."""

    type: ClassVar[str] = "platform.review.removed.v1"
    to: ClassVar[str] = "listings"
    review_ref: Ref
    order_ref: Ref
    removed_at: Zoned | None = None


class SecurityIncidentReported(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A platform found a cyber-security incident; the same `incident_ref` again states it anew."""

    type: ClassVar[str] = "platform.security_incident.reported.v1"
    to: ClassVar[str] = "risk"
    incident_ref: Ref
    kind: IncidentKind
    severity: Literal["low", "medium", "high", "critical"]
    affected: Annotated[int, Meta(ge=0, le=10**10, description="Persons or accounts affected, as far as known")]
    found_at: Zoned


class TotalsStated(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """What a platform's orders of a month come to, in one currency; the same month again corrects it.

    All orders count that were placed in the month (UTC), cancelled or not, each with its lines and freight. With an
    operator it is what that one sold: the orders it has a part in, each with the operator's own lines and freight.
    """

    type: ClassVar[str] = "platform.totals.stated.v1"
    to: ClassVar[str] = "risk"
    month: Annotated[str, Meta(min_length=7, max_length=7, description="Year and month, as in 2026-03")]
    currency: Currency
    orders: Annotated[int, Meta(ge=0, le=10**12)]
    amount_minor: Annotated[int, Meta(ge=0, le=10**18, description="Minor units of the currency")]
    order_refs: (
        Annotated[list[Ref], Meta(max_length=20_000, description="All of them, where they are listed")] | None
    ) = None
    operator_ref: (
        Annotated[Ref, Meta(description="Whose they are; without it the platform's, of all operators")] | None
    ) = None


PLATFORM_EVENTS: tuple[type[PlatformEvent], ...] = (
    OperatorRegistered,
    OperatorChanged,
    OperatorDeregistered,
    ConsentRecorded,
    MessageSent,
    ListingPublished,
    ListingChanged,
    ListingWithdrawn,
    OrderPlaced,
    OrderCancelled,
    OrderReturned,
    PaymentMade,
    ParcelShipped,
    ParcelDelivered,
    ReviewPosted,
    ReviewRemoved,
    SecurityIncidentReported,
    TotalsStated,
)
