"""What identity asks of platforms, and tells of what became of it: removals, disclosures, offers."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Event


class _OfferEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.offers"
    listing_id: UUID
    account_id: UUID
    platform_id: str
    listing_ref: str

    def key(self) -> UUID:
        """Return the listing: its history stays in order."""
        return self.listing_id


class OfferRefused(_OfferEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An offer is of a category that its operator lacks a qualification for, or has lost it; `reasons` say which."""

    type: ClassVar[str] = "identity.offer.refused.v1"
    reasons: list[str]


class OfferQualified(_OfferEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An offer that was refused needs nothing any more that its operator has not."""

    type: ClassVar[str] = "identity.offer.qualified.v1"


class _RemovalEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.operators"
    order_id: UUID
    account_id: UUID
    operator_id: UUID
    platform_id: str
    operator_ref: str

    def key(self) -> UUID:
        """Return the account: its history stays in order."""
        return self.account_id


class RemovalOrdered(_RemovalEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A platform is ordered to remove an account by a day; `grounds` are the rules that ask for it."""

    type: ClassVar[str] = "identity.removal.ordered.v1"
    grounds: list[str]
    acknowledge_by: datetime
    remove_by: datetime


class RemovalCarriedOut(_RemovalEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The account that was to be removed has ended."""

    type: ClassVar[str] = "identity.removal.carried_out.v1"
    because: str


class RemovalWithdrawn(_RemovalEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An order rests on nothing any more, or a regulator took it back."""

    type: ClassVar[str] = "identity.removal.withdrawn.v1"
    because: str


class RemovalEscalated(_RemovalEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A platform has not said in time that it read an order, or has not removed the account."""

    type: ClassVar[str] = "identity.removal.escalated.v1"
    what: Literal["not_acknowledged", "not_removed"]


class _DisclosureEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.disclosures"
    request_id: UUID
    account_id: UUID
    platform_id: str
    operator_ref: str

    def key(self) -> UUID:
        """Return the request: its history stays in order."""
        return self.request_id


class DisclosureRequested(_DisclosureEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A consumer demands a seller's name, address and contact; its platform answers by `due_at`."""

    type: ClassVar[str] = "identity.disclosure.requested.v1"
    due_at: datetime


class DisclosureAnswered(_DisclosureEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The platform has said who the seller is."""

    type: ClassVar[str] = "identity.disclosure.answered.v1"


class DisclosureDefaulted(_DisclosureEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A platform has not said in time who a seller is: it pays in its place, by the article in `source`."""

    type: ClassVar[str] = "identity.disclosure.defaulted.v1"
    consumer_ref: str
    order_ref: str | None
    source: str


EVENTS: tuple[type[Event], ...] = (
    OfferRefused,
    OfferQualified,
    RemovalOrdered,
    RemovalCarriedOut,
    RemovalWithdrawn,
    RemovalEscalated,
    DisclosureRequested,
    DisclosureAnswered,
    DisclosureDefaulted,
)
