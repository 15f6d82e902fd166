"""Platform events as CloudEvents 1.0 in JSON: their ids, their bytes and what the sender must know."""

from datetime import datetime
from hashlib import blake2b

import msgspec
from msgspec import Struct

from shared.events.platform import (
    ListingPublished,
    OperatorRegistered,
    OrderPlaced,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
    PlatformEvent,
    ReviewPosted,
)

OTHERS = "others"
_KINDS: dict[type[PlatformEvent], str] = {
    OperatorRegistered: "operators",
    ListingPublished: "listings",
    OrderPlaced: "orders",
    PaymentMade: "payments",
    ParcelShipped: "shipments",
    ParcelDelivered: "deliveries",
    ReviewPosted: "reviews",
}
_encoder = msgspec.json.Encoder()


class CloudEvent(Struct, frozen=True, kw_only=True, gc=False):
    """The attributes of a structured-mode event in the order they are written."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: datetime
    subject: str
    datacontenttype: str = "application/json"
    data: PlatformEvent


class Outgoing(Struct, frozen=True, gc=False):
    """An encoded event, the service that takes it, and the key of the report it counts under."""

    to: str
    kind: str
    order_lines: int
    body: bytes


def encode(event: CloudEvent) -> Outgoing:
    """Return the event as bytes, ready to be sent."""
    fact = event.data
    lines = len(fact.lines) if isinstance(fact, OrderPlaced) else 0
    return Outgoing(fact.to, _KINDS.get(type(fact), OTHERS), lines, _encoder.encode(event))


class EventIds:
    """UUIDv7-shaped ids from the event's own time and a counter: time-ordered, and the same in every run."""

    def __init__(self, *, seed: int, platform_id: str) -> None:
        digest = blake2b(f"{seed}/{platform_id}".encode(), digest_size=4).digest()
        self._stream = f"{0x8000 | int.from_bytes(digest[:2]) >> 2:04x}-{digest[2:].hex()}"
        self._count = 0

    def next(self, at_ms: int) -> str:
        """Return the id of the next event of the stream."""
        self._count += 1
        stamp = f"{at_ms:012x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{self._count & 0xFFF:03x}-{self._stream}{self._count:08x}"


def named_event_id(at_ms: int, name: str) -> str:
    """Return the UUIDv7-shaped id of an event known by a name that is unique within its platform."""
    stamp = f"{at_ms:012x}"
    digest = blake2b(name.encode(), digest_size=10).digest()
    variant = 0x80 | digest[2] & 0x3F
    return f"{stamp[:8]}-{stamp[8:]}-7{digest.hex()[:3]}-{variant:02x}{digest[3:4].hex()}-{digest[4:].hex()}"
