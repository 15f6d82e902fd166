"""Buyers who come back to a shop: within the hour, and altogether, beyond what volumes and habits explain."""

from typing import NamedTuple

import numpy as np
from numba import njit

from services.risk.boosting import Floats
from services.risk.peeling import Ints
from services.risk.rings import Orders, Pairs

_HOUR = 3600.0
# A window is followed for so many orders and no further.
_LONGEST_WINDOW = 2_000
# The median of a chi-squared variable with one degree of freedom.
_CHI_SQUARED_MEDIAN = 0.4549
_ENOUGH_ORDERS = 20
_MOST_LIKELY = 0.95


class Bursts(NamedTuple):
    """The hour around each order that is least explained by people who order twice, and what is in it."""

    surprise: Floats
    orders: Ints
    buyers: Ints


class Repeats(NamedTuple):
    """How improbable it is, in natural logarithms, that buyers came back so often: for each pair and each shop."""

    of_pair: Floats
    of_shop: Floats
    # Orders of each pair, of each shop, and how many different buyers a shop has.
    orders: Ints
    shop_orders: Ints
    shop_buyers: Ints


def bursts(orders: Orders) -> Bursts:
    """Return for each order the hour at its shop that holds it and is the least probable.

    Of n orders by d buyers, n - d are repeats; were each a repeat with the chance it has on the whole market, so many
    have a chance of at most exp(-n KL((n - d) / n, chance)), Chernoff's bound. The measure is that of the
    order-brushing rule by which marketplaces judge an hour, orders per different buyer, but an hour with few orders
    counts as what it is.
    """
    return Bursts(*_bursts(orders.shop, orders.buyer, orders.time, _repeats_within_the_hour(orders)))


def repeated(pairs: Pairs) -> Repeats:
    """Return how far repeats go beyond chance and loyalty.

    A shop's orders go by chance to a buyer it already has as their shares of the market say, and by loyalty as on the
    whole market. How much shops differ besides is estimated from the median shop, and counts as that many fewer orders
    (Kish, Survey Sampling, 1965, 8.2).
    """
    orders = np.bincount(pairs.of_order, minlength=len(pairs.buyer))
    by_shop = np.bincount(pairs.shop, orders, minlength=pairs.sizes[1])
    by_buyer = np.bincount(pairs.buyer, orders, minlength=pairs.sizes[0])
    buyers = np.bincount(pairs.shop, minlength=pairs.sizes[1])
    total = max(len(pairs.of_order), 1)
    chance = by_shop * float((by_buyer / total) @ (by_buyer / total)) / 2
    loyalty = max((total - len(pairs.buyer) - float(chance @ by_shop)) / total, 1 / total)
    expected = np.minimum(loyalty + chance, _MOST_LIKELY)
    share, spread = 1 - buyers / np.maximum(by_shop, 1), expected * (1 - expected)
    enough = by_shop >= _ENOUGH_ORDERS
    beyond = (share - expected)[enough] ** 2 / _CHI_SQUARED_MEDIAN - (spread / np.maximum(by_shop, 1))[enough]
    between = max(0.0, float(np.median(beyond))) if enough.any() else 0.0
    # Orders of one shop are not as many independent ones: the design effect of shops that differ.
    effective = by_shop / (1 + by_shop * between / spread)
    # Who came back once comes back again more often than others come back at all.
    once, twice = (max(float(np.mean(orders > times)) if len(orders) else 0.0, 1 / total) for times in (1, 2))
    by_chance = by_shop[pairs.shop] / total
    first = -np.log(np.minimum(once + by_chance, _MOST_LIKELY))
    further = -np.log(np.minimum(twice / once + by_chance, _MOST_LIKELY))
    return Repeats(
        of_pair=np.where(orders > 1, first + (orders - 2) * further, 0.0),
        of_shop=np.where(share > expected, effective * divergence(share, expected), 0.0),
        orders=orders,
        shop_orders=by_shop.astype(np.int64),
        shop_buyers=buyers,
    )


def divergence(share: Floats, expected: Floats) -> Floats:
    """Return the divergence of Kullback and Leibler between two chances of yes or no."""
    yes = share * np.log(np.maximum(share, 1e-300) / expected)
    no = (1 - share) * np.log(np.maximum(1 - share, 1e-300) / (1 - expected))
    return np.asarray(yes + no)


def _repeats_within_the_hour(orders: Orders) -> float:
    """Return the share of orders that follow one of the same buyer at the same shop within an hour."""
    order = np.lexsort((orders.time, orders.buyer, orders.shop))
    shop, buyer, time = orders.shop[order], orders.buyer[order], orders.time[order]
    again = (np.diff(shop) == 0) & (np.diff(buyer) == 0) & (np.diff(time) <= _HOUR)
    total = max(len(order), 1)
    return float(np.clip(again.sum() / total, 1 / (total + 1), _MOST_LIKELY))


@njit(cache=False)
def _bursts(shop: Ints, buyer: Ints, time: Floats, chance: float) -> tuple[Floats, Ints, Ints]:  # pragma: no cover
    surprise = np.zeros(len(shop))
    orders, buyers = np.ones(len(shop), np.int64), np.ones(len(shop), np.int64)
    seen_from = np.full(buyer.max() + 1 if len(buyer) else 0, -1)
    bounds, distinct = np.zeros(len(shop)), np.zeros(len(shop), np.int64)
    for first in range(len(shop)):
        last, different = first, 0
        while (
            last < min(len(shop), first + _LONGEST_WINDOW)
            and shop[last] == shop[first]
            and time[last] - time[first] <= _HOUR
        ):
            different += seen_from[buyer[last]] != first
            seen_from[buyer[last]] = first
            count = last - first + 1
            share = (count - different) / count
            bounds[last], distinct[last] = 0.0, different
            if share > chance:
                bounds[last] = count * (
                    share * np.log(share / chance) + (1 - share) * np.log((1 - share) / (1 - chance))
                )
            last += 1
        best = last - 1
        # Every order in a window has the best of the windows that reach beyond it.
        for place in range(last - 1, first - 1, -1):
            if bounds[place] > bounds[best]:
                best = place
            if bounds[best] > surprise[place]:
                surprise[place], orders[place], buyers[place] = bounds[best], best - first + 1, distinct[best]
    return surprise, orders, buyers
