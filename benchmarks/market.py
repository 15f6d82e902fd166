"""An ordinary marketplace with what shops and rings of buyers arrange in it, to measure detectors of orders on.

Shops are as popular as Zipf's law says, buyers as busy as a log-normal draw, most buy within their tastes; there are
promotions, people who come back, and baskets split in several orders: what looks arranged and is not.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DAY, HOUR = 86_400.0, 3_600.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Market(NamedTuple):
    """Orders as columns: who bought at which shop and when; which are of a planted ring, and which shops brush."""

    buyer: Ints
    shop: Ints
    time: Floats
    in_ring: Flags
    brushing: frozenset[int]

    def with_orders(self, buyer: Ints, shop: Ints, time: Floats, in_ring: Flags, brushing: Ints) -> "Market":
        """Return the market with more orders in it."""
        return Market(
            np.concatenate([self.buyer, buyer]),
            np.concatenate([self.shop, shop]),
            np.concatenate([self.time, time]),
            np.concatenate([self.in_ring, in_ring]),
            self.brushing | frozenset(brushing.tolist()),
        )


class Size(NamedTuple):
    """How large a market is, and for how many days it runs."""

    orders: int
    shops: int
    buyers: int
    days: int


class Difficulty(NamedTuple):
    """A ring: its members, how many of the pairs among them buy, within how many days, and what else they buy."""

    buyers: int
    shops: int
    density: float
    days: float
    # Orders elsewhere for each one in the ring.
    camouflage: float


RINGS = {
    "easy": Difficulty(40, 10, 0.5, 2, 0.3),
    "medium": Difficulty(50, 15, 0.3, 7, 0.6),
    "hard": Difficulty(80, 20, 0.2, 20, 1.0),
}
MONTH = Size(orders=200_000, shops=20_000, buyers=90_000, days=30)
_TASTES = 50


def ordinary(size: Size, rng: np.random.Generator) -> Market:
    """Draw a market in which nothing is arranged."""
    taste_of_shop, taste_of_buyer = (rng.integers(0, _TASTES, n) for n in (size.shops, size.buyers))
    popularity = (np.arange(1, size.shops + 1) ** -0.9)[rng.permutation(size.shops)]
    activity = np.minimum(rng.lognormal(0.0, 1.0, size.buyers), 15)
    buyer = rng.choice(size.buyers, size.orders, p=activity / activity.sum())
    shop = rng.choice(size.shops, size.orders, p=popularity / popularity.sum())
    by_taste = rng.random(size.orders) < 0.6
    for taste in range(_TASTES):
        orders = np.flatnonzero(by_taste & (taste_of_buyer[buyer] == taste))
        shops = np.flatnonzero(taste_of_shop == taste)
        shop[orders] = rng.choice(shops, len(orders), p=popularity[shops] / popularity[shops].sum())
    hours = np.clip(rng.normal(15, 5, size.orders), 0, 23.99)
    time = rng.integers(0, size.days, size.orders) * DAY + hours * HOUR
    _promote(shop, time, size, rng)
    _come_back(buyer, shop, rng)
    market = Market(buyer, shop, time, np.zeros(size.orders, np.bool_), frozenset())
    return _split_baskets(market, rng)


def _promote(shop: Ints, time: Floats, size: Size, rng: np.random.Generator) -> None:
    """Let one shop in twenty sell most of what it sells within hours of one day."""
    day = np.where(rng.random(size.shops) < 0.05, rng.integers(0, size.days, size.shops), -1)[shop]
    sold = (day >= 0) & (rng.random(len(shop)) < 0.6)
    time[sold] = (day[sold] + 0.4 + 0.3 * rng.random(int(sold.sum()))) * DAY


def _come_back(buyer: Ints, shop: Ints, rng: np.random.Generator) -> None:
    """Let one order in eight go to where the same buyer ordered before."""
    order = np.argsort(buyer, kind="stable")
    again = (buyer[order][1:] == buyer[order][:-1]) & (rng.random(len(buyer) - 1) < 0.12)
    places = np.flatnonzero(again)
    shop[order[places + 1]] = shop[order[places]]


def _split_baskets(market: Market, rng: np.random.Generator) -> Market:
    split = rng.choice(len(market.buyer), int(len(market.buyer) * 0.03), replace=False)
    times = 1 + (rng.random(len(split)) < 0.15) + (rng.random(len(split)) < 0.05)
    places = np.repeat(split, times)
    later = market.time[places] + rng.exponential(HOUR / 3, len(places))
    none = np.zeros(len(places), np.bool_)
    return market.with_orders(market.buyer[places], market.shop[places], later, none, np.array([], np.int64))


def with_ring(market: Market, difficulty: Difficulty, days: int, rng: np.random.Generator) -> Market:
    """Plant a ring of ordinary buyers at shops that sell neither much nor nothing."""
    buyers = rng.choice(market.buyer.max() + 1, difficulty.buyers, replace=False)
    sold = np.bincount(market.shop)
    shops = rng.choice(np.flatnonzero((sold >= 3) & (sold < 200)), difficulty.shops, replace=False)
    who, where = np.nonzero(rng.random((difficulty.buyers, difficulty.shops)) < difficulty.density)
    span = min(difficulty.days, days)
    start = rng.random(difficulty.shops) * (days - span)
    time = (start[where] + rng.random(len(where)) * span) * DAY
    elsewhere = int(len(who) * difficulty.camouflage)
    shops_elsewhere = market.shop[rng.integers(0, len(market.shop), elsewhere)]
    return market.with_orders(
        np.concatenate([buyers[who], rng.choice(buyers, elsewhere)]),
        np.concatenate([shops[where], shops_elsewhere]),
        np.concatenate([time, rng.random(elsewhere) * days * DAY]),
        np.arange(len(who) + elsewhere) < len(who),
        shops,
    )


def with_brushing(market: Market, shops: int, days: int, rng: np.random.Generator) -> Market:
    """Let shops order from themselves: some by a few people within an hour, some by a few for weeks."""
    sold = np.bincount(market.shop)
    for turn, shop in enumerate(rng.choice(np.flatnonzero(sold >= 2), shops, replace=False).tolist()):
        bursts = turn % 2 == 0
        for _ in range(int(rng.integers(1, 4)) if bursts else 1):
            people = rng.integers(0, market.buyer.max() + 1, int(rng.integers(1, 4) if bursts else rng.integers(3, 8)))
            orders = int(rng.integers(3, 9) if bursts else rng.integers(15, 40))
            start, span = (rng.random() * days * DAY, HOUR) if bursts else (0.0, days * DAY)
            market = market.with_orders(
                rng.choice(people, orders),
                np.full(orders, shop),
                start + rng.random(orders) * span,
                np.zeros(orders, np.bool_),
                np.array([shop]),
            )
    return market
