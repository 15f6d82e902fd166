"""A link of a platform's chain: what was stated in one micro-batch, hashed with the link before it. Pure."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import zstandard
from msgspec import Struct

from shared.events.listings import TransactionEvent

# What comes before the first link.
GENESIS = bytes(32)
_compress = zstandard.ZstdCompressor(level=3).compress
_decompress = zstandard.ZstdDecompressor().decompress


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One revision of one operator's part in a transaction, as far as money and its course go; nothing of the buyer."""

    transaction_id: UUID
    part: int
    revision: int
    order_ref: str
    account_id: UUID | None
    currency: str
    due_minor: int
    own_minor: int
    paid_minor: int
    payments: int
    parcels: int
    cancelled: bool
    returned: bool
    placed_at: datetime | None
    paid_at: datetime | None


class Link(NamedTuple):
    """One link as it is stored."""

    sequence: int
    hash: bytes
    content: bytes


class Break(NamedTuple):
    """The first link that is not what was chained, and why."""

    sequence: int
    why: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Entry]).decode


def entry(event: TransactionEvent) -> Entry:
    """Return what the chain keeps of a revision."""
    trade = event.trade
    return Entry(
        event.transaction_id,
        event.part,
        event.revision,
        event.order_ref,
        trade.account_id if trade is not None else None,
        event.currency,
        event.due_minor,
        trade.goods_minor + trade.freight_minor if trade is not None else 0,
        event.paid_minor,
        event.payments,
        event.parcels,
        event.cancelled,
        event.returned,
        event.placed_at,
        event.paid_at,
    )


def pack(entries: Sequence[Entry]) -> bytes:
    """Return entries as what is stored and hashed: JSON behind zstd, so that anybody can read it."""
    return _compress(_encode(entries))


def unpack(content: bytes) -> list[Entry]:
    """Read what `pack` made."""
    return _decode(_decompress(content))


def link_hash(previous: bytes, sequence: int, content: bytes) -> bytes:
    """Return SHA-256 over the hash of the link before, the place of this one and the SHA-256 of its content."""
    return hashlib.sha256(previous + sequence.to_bytes(8, "big") + hashlib.sha256(content).digest()).digest()


def first_break(links: Sequence[Link], *, after: int, previous: bytes) -> Break | None:
    """Return the first link that does not follow from the one before; `previous` is the hash of link `after`."""
    for expected, link in enumerate(links, after + 1):
        if link.sequence != expected:
            return Break(expected, f"link {expected} is missing")
        if link.hash != link_hash(previous, link.sequence, link.content):
            return Break(expected, f"the hash of link {expected} does not follow from its content and the link before")
        previous = link.hash
    return None
