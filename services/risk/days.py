"""Streaming features of one operator on one day, bounded in size. Pure.

Counts only grow within a day, so whether a threshold was crossed does not depend on the order of arrival.
"""

from collections.abc import Iterable
from datetime import datetime
from zlib import crc32

from msgspec import Struct

# At most so many keys a map and so many members a key: beyond them counts are lower bounds.
MAX_KEYS = 2_048
MAX_MEMBERS = 32


class Day(Struct, array_like=True, gc=False):
    """Orders, buyers, shared devices and addresses, reviews: references are kept as 32-bit hashes."""

    orders: int = 0
    goods_minor: int = 0
    by_hour: list[int] = []
    buyers: dict[int, int] = {}
    devices: dict[int, list[int]] = {}
    addresses: dict[int, list[int]] = {}
    reviews: int = 0
    five_stars: int = 0
    texts: dict[int, int] = {}

    def add_order(self, placed_at: datetime, goods_minor: int, buyer: str | None, keys: Iterable[str | None]) -> None:
        """Count an order once; `keys` are its device and its address."""
        self.orders += 1
        self.goods_minor += goods_minor
        self.by_hour = self.by_hour or [0] * 24
        self.by_hour[placed_at.hour] += 1
        if buyer is not None:
            _count(self.buyers, _short(buyer))
        for members, key in zip((self.devices, self.addresses), keys, strict=True):
            if key is not None and buyer is not None:
                _join(members, _short(key), _short(buyer))

    def add_review(self, rating: int, text_hash: str | None) -> None:
        """Count a review once."""
        self.reviews += 1
        self.five_stars += rating == 5
        if text_hash is not None:
            _count(self.texts, _short(text_hash))

    def orders_in_hour(self, at: datetime) -> int:
        """Return the orders of the hour of `at`."""
        return self.by_hour[at.hour] if self.by_hour else 0

    def orders_of(self, buyer: str | None) -> int:
        """Return how many orders a buyer placed here this day."""
        return self.buyers.get(_short(buyer), 0) if buyer is not None else 0

    def buyers_on_device(self, device: str | None) -> int:
        """Return how many buyers ordered here from one device this day."""
        return len(self.devices.get(_short(device), ())) if device is not None else 0

    def buyers_at_address(self, address: str | None) -> int:
        """Return how many buyers ordered here to one address this day."""
        return len(self.addresses.get(_short(address), ())) if address is not None else 0

    def times_text(self, text_hash: str | None) -> int:
        """Return how many reviews of this day carry one text."""
        return self.texts.get(_short(text_hash), 0) if text_hash is not None else 0


def _short(ref: str) -> int:
    return crc32(ref.encode())


def _count(counts: dict[int, int], key: int) -> None:
    if key in counts or len(counts) < MAX_KEYS:
        counts[key] = counts.get(key, 0) + 1


def _join(groups: dict[int, list[int]], key: int, member: int) -> None:
    if key not in groups and len(groups) >= MAX_KEYS:
        return
    members = groups.setdefault(key, [])
    if member not in members and len(members) < MAX_MEMBERS:
        members.append(member)
