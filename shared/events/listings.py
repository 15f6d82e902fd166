"""What listings publishes: trade assembled from documents, and reviews with their order."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from msgspec import Struct, field

from shared.events.base import Event

MatchClass = Literal["payment_without_lines", "amount_mismatch", "time_order", "matched", "awaiting_documents"]


class Trade(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one operator sold in a transaction, in minor units of its currency."""

    account_id: UUID
    operator_ref: str
    goods_minor: int
    freight_minor: int
    lines: int
    quantity: int
    listing_refs: list[str]


class PaidThrough(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pair of payment institution and channel that payments of a transaction name, and when: first of each day."""

    made_at: list[datetime]
    institution_id: str | None = None
    channel: str | None = None


class _TransactionEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """State of a transaction after `revision` changes, as seen by one of its operators.

    A transaction of several operators is published once for each, under that operator's account, with
    `part` counting from 0 to `parts` - 1; one without lines is published once, under its own id.
    """

    topic: ClassVar[str] = "listings.transactions"
    transaction_id: UUID
    platform_id: str
    order_ref: str
    revision: int
    match: MatchClass
    reasons: list[str]
    part: int
    parts: int
    currency: str
    trade: Trade | None = None
    mode: str = "B2C"
    buyer_ref: str | None = None
    device_ref: str | None = None
    address_ref: str | None = None
    ip_ref: str | None = None
    payer_ref: str | None = None
    paid_minor: int = 0
    due_minor: int = 0
    payments: int = 0
    # Each pair that any payment names, once; payments that name neither are not in it.
    paid_through: tuple[PaidThrough, ...] = ()
    parcels: int = 0
    weight_g: int | None = None
    courier: str | None = None
    waybill_refs: list[str] = field(default_factory=list)
    placed_at: datetime | None = None
    paid_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled: bool = False
    returned: bool = False

    def key(self) -> UUID:
        """Return the operator's account, so that one operator's trade stays in order."""
        return self.trade.account_id if self.trade is not None else self.transaction_id


class TransactionRecorded(_TransactionEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A transaction is known; documents are still to come."""

    type: ClassVar[str] = "listings.transaction.recorded.v1"


class TransactionMatched(_TransactionEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Order, payment and waybill of a transaction agree."""

    type: ClassVar[str] = "listings.transaction.matched.v1"


class TransactionMismatched(_TransactionEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Documents of a transaction contradict each other; `match` and `reasons` say how."""

    type: ClassVar[str] = "listings.transaction.mismatched.v1"


TransactionEvent = TransactionRecorded | TransactionMatched | TransactionMismatched


class ReviewRecorded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A review was posted on an order. Its text stays here; `text_hash`, `text_length` and `text_sketch` describe it.

    The sketch is 30 hashes of 32 bits as base64 (MinHash, little-endian): as many of two agree as the texts share.
    """

    type: ClassVar[str] = "listings.review.recorded.v1"
    topic: ClassVar[str] = "listings.reviews"
    review_id: UUID
    transaction_id: UUID
    account_id: UUID | None
    platform_id: str
    review_ref: str
    order_ref: str
    rating: int
    buyer_ref: str | None = None
    listing_ref: str | None = None
    text_hash: str | None = None
    text_length: int = 0
    text_sketch: str | None = None

    def key(self) -> UUID:
        """Return the reviewed operator's account, or the transaction where the order is not known yet."""
        return self.account_id or self.transaction_id


class ReviewRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A platform took a review down that it had posted; it is told once, after the review."""

    type: ClassVar[str] = "listings.review.removed.v1"
    topic: ClassVar[str] = "listings.reviews"
    review_id: UUID
    transaction_id: UUID
    account_id: UUID | None
    platform_id: str
    review_ref: str
    order_ref: str
    rating: int
    posted_at: datetime

    def key(self) -> UUID:
        """Return the reviewed operator's account, or the transaction where the order is not known yet."""
        return self.account_id or self.transaction_id


class ListingRecorded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An operator's offer was published, changed or withdrawn."""

    type: ClassVar[str] = "listings.listing.recorded.v1"
    topic: ClassVar[str] = "listings.listings"
    listing_id: UUID
    account_id: UUID
    platform_id: str
    listing_ref: str
    version: int
    state: Literal["published", "withdrawn"]
    category: str | None = None
    gtin: str | None = None
    hs_code: str | None = None

    def key(self) -> UUID:
        """Return the listing."""
        return self.listing_id


class _Screened(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "listings.listings"
    listing_id: UUID
    account_id: UUID
    platform_id: str
    listing_ref: str

    def key(self) -> UUID:
        """Return the listing."""
        return self.listing_id


class ListingHeld(_Screened, frozen=True, kw_only=True, omit_defaults=True):
    """An offer is not to be shown, for these reasons."""

    type: ClassVar[str] = "listings.listing.held.v1"
    reasons: list[str]


class ListingAllowed(_Screened, frozen=True, kw_only=True, omit_defaults=True):
    """An offer is held no longer."""

    type: ClassVar[str] = "listings.listing.allowed.v1"


class ClaimPlace(Struct, frozen=True, kw_only=True):
    """Where a phrase stands: the field, and from which character to before which."""

    field: Literal["title", "description"]
    start: int
    end: int
    phrase: str


class ClaimFound(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A version of an offer claims what the law forbids to claim; once for each kind of claim, with up to 20 places."""

    type: ClassVar[str] = "listings.claim.found.v1"
    topic: ClassVar[str] = "listings.listings"
    listing_id: UUID
    account_id: UUID
    platform_id: str
    listing_ref: str
    version: int
    code: str
    articles: list[str]
    places: list[ClaimPlace]

    def key(self) -> UUID:
        """Return the listing, so that what it claims comes after what is known of its version."""
        return self.listing_id


EVENTS: tuple[type[Event], ...] = (
    TransactionRecorded,
    TransactionMatched,
    TransactionMismatched,
    ReviewRecorded,
    ReviewRemoved,
    ListingRecorded,
    ListingHeld,
    ListingAllowed,
    ClaimFound,
)
