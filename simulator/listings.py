"""Offers of a platform's merchants, as columns: ten thousands of them are drawn from at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from shared.events.platform import ListingPublished
from simulator.categories import CATEGORIES
from simulator.operators import Account
from simulator.platforms import Platform
from simulator.propaganda import described
from simulator.registrations import gtin
from simulator.timeline import HOUR_MS, MINUTE_MS

_BRANDS = ("Aurelia", "Norvik", "Haiyun", "Lumora", "Kestrel", "Mirae", "Solvane", "Tianhe", "Ostara")
_STYLES = ("classic", "compact", "premium", "travel", "family", "light", "everyday", "studio")
_STYLES_ZH = ("经典款", "便携款", "高级款", "旅行款", "家庭装", "轻薄款", "日常款", "专业款")
_INSPECTED = {"infant formula", "cosmetics", "dietary supplements"}

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Listings:
    """One row per offer; an operator's offers lie side by side, from `first` on, `count` of them."""

    operator: Integers
    category: Integers
    good: Integers
    style: Integers
    price: Integers
    weight_g: Integers
    published_ms: Integers
    until_ms: Integers
    first: Integers
    count: Integers
    popularity: NDArray[np.float64]
    misconduct: NDArray[np.float64]
    disappoints: NDArray[np.float64]

    def on_offer(self, from_ms: int, to_ms: int) -> NDArray[np.bool_]:
        """Return which offers stand during the whole span."""
        return (self.published_ms < from_ms) & (self.until_ms > to_ms)


def publish_listings(accounts: Sequence[Account], *, platform: Platform, draw: np.random.Generator) -> Listings:
    """Draw what the merchants offer, each within hours of opening its account."""
    counts = np.array([account.listings for account in accounts])
    operator = np.repeat(np.arange(len(accounts)), counts)
    size = len(operator)
    category = np.array([place for account in accounts for place in _categories(account)])
    low, high, light, heavy = np.array([(*kind.price, *kind.weight_g) for kind in CATEGORIES])[category].T
    price = low * (high / low) ** (draw.random(size) ** 1.6) * platform.price_level / 100
    opened = np.array([account.registered_ms for account in accounts])[operator]
    share = (draw.random(size) + 0.1) / counts[operator]
    return Listings(
        operator=operator,
        category=category,
        good=draw.integers(0, 1_000, size),
        style=draw.integers(0, 1_000, size),
        price=price.astype(np.int64),
        weight_g=(light + (heavy - light) * draw.random(size)).astype(np.int64),
        published_ms=opened + (5 * MINUTE_MS + draw.random(size) * 8 * HOUR_MS).astype(np.int64),
        until_ms=np.array([account.closed_ms for account in accounts])[operator],
        first=(np.cumsum(counts) - counts)[operator],
        count=counts[operator],
        popularity=np.array([account.popularity for account in accounts])[operator] * share,
        misconduct=np.array([account.misconduct for account in accounts])[operator],
        disappoints=np.array([account.disappoints for account in accounts])[operator],
    )


class Shelf:
    """The listings of one platform as it would publish them."""

    def __init__(self, listings: Listings, accounts: Sequence[Account], platform: Platform) -> None:
        self._accounts = accounts
        self._platform = platform
        self._listings = listings
        self.operator_refs = [accounts[place].file.operator_ref for place in listings.operator.tolist()]
        self.refs = [f"{operator_ref}-L{place:06d}" for place, operator_ref in enumerate(self.operator_refs)]
        self.prices: list[int] = listings.price.tolist()
        self.categories = [CATEGORIES[place].name for place in listings.category.tolist()]

    def published(self, place: int) -> ListingPublished:
        """Return the offer's file."""
        listings = self._listings
        account = self._accounts[int(listings.operator[place])]
        category = CATEGORIES[int(listings.category[place])]
        brand = _BRANDS[(int(listings.operator[place]) * 7 + place % 3) % len(_BRANDS)]
        country = account.file.jurisdiction
        return ListingPublished(
            listing_ref=self.refs[place],
            operator_ref=account.file.operator_ref,
            title=self._title(place, brand),
            description=described(account.claims, in_chinese=self._platform.in_chinese),
            category=category.name,
            brand=brand,
            price_minor=self.prices[place],
            currency=self._platform.currency,
            gtin=gtin(country, place * 7_919 + int(listings.good[place])),
            hs_code=category.hs_code,
            origin_country=country,
            manufacturer=account.file.legal_name,
            inspection_reports=[f"IR-{self.refs[place]}"] if category.name in _INSPECTED else [],
            image_hashes=[blake2b(self.refs[place].encode(), digest_size=16).hexdigest()],
            stock=10 + int(listings.style[place]),
        )

    def _title(self, place: int, brand: str) -> str:
        category = CATEGORIES[int(self._listings.category[place])]
        english, chinese = category.goods[int(self._listings.good[place]) % len(category.goods)]
        style = int(self._listings.style[place])
        model = f"{brand[0]}{style:03d}"
        if self._platform.in_chinese:
            return f"{brand} {chinese} {_STYLES_ZH[style % len(_STYLES_ZH)]} {model}"
        return f"{brand} {english}, {_STYLES[style % len(_STYLES)]}, {model}"


def _categories(account: Account) -> list[int]:
    return [account.categories[turn % len(account.categories)] for turn in range(account.listings)]
