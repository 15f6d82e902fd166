"""What every door publishes of the numbers that platforms give what they send (CloudEvents' extension Sequence)."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event
from shared.identifiers import derived_id


class NumbersReceived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A platform's events with these numbers were taken together, at `occurred_at`: runs from `first` to `last`."""

    platform_id: str
    first: list[int]
    last: list[int]

    def key(self) -> UUID:
        """Return the platform's numbering: what came of it stays in order."""
        return derived_id("numbers", self.platform_id)


class IdentityNumbersReceived(NumbersReceived, frozen=True, kw_only=True, omit_defaults=True):
    """A platform's numbered events were taken by identity: runs from `first` to `last`."""

    type: ClassVar[str] = "identity.numbers.received.v1"
    topic: ClassVar[str] = "identity.numbers"


class ListingsNumbersReceived(NumbersReceived, frozen=True, kw_only=True, omit_defaults=True):
    """A platform's numbered events were taken by listings: runs from `first` to `last`."""

    type: ClassVar[str] = "listings.numbers.received.v1"
    topic: ClassVar[str] = "listings.numbers"


class RiskNumbersReceived(NumbersReceived, frozen=True, kw_only=True, omit_defaults=True):
    """A platform's numbered events were taken by risk: runs from `first` to `last`."""

    type: ClassVar[str] = "risk.numbers.received.v1"
    topic: ClassVar[str] = "risk.numbers"


EVENTS: tuple[type[NumbersReceived], ...] = (IdentityNumbersReceived, ListingsNumbersReceived, RiskNumbersReceived)
# What a door publishes, by its service.
OF_SERVICE = {kind.type.partition(".")[0]: kind for kind in EVENTS}
