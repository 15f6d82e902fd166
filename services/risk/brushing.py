"""What makes orders look arranged: hours full of the same few, buyers that keep coming back, and rings. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from services.risk.boosting import Floats
from services.risk.peeling import Ints
from services.risk.repeats import Bursts, Repeats, bursts, repeated
from services.risk.rings import Orders, Pairs, Ring, hold_outs, pair_up, rings, weigh

# Where the ordinary cores end and how fast they thin out there.
_ORDINARY, _BEFORE = 0.75, 0.50


class Web(NamedTuple):
    """Pairs, how improbably dense the block of each is, for its orders and its shop, and its ring (-1 for none)."""

    pairs: Pairs
    surprise: Floats
    shop_surprise: Floats
    ring: Ints
    rings: Sequence[Ring]


class Brushing(NamedTuple):
    """The three kinds of evidence, as natural logarithms of how improbable each is."""

    burst: Bursts
    again: Repeats
    web: Web
    # Of each shop, the order of its worst burst, and the pair that is deepest in a ring.
    worst: Ints
    deepest: Ints


def look(orders: Orders) -> Brushing:
    """Look for all three kinds of evidence in orders by shop and time."""
    web, burst = _web(orders), bursts(orders)
    shops = web.pairs.sizes[1]
    return Brushing(
        burst,
        repeated(web.pairs),
        web,
        worst=_highest(orders.shop, burst.surprise, shops),
        deepest=_highest(web.pairs.shop, web.shop_surprise, shops),
    )


def _web(orders: Orders) -> Web:
    pairs = pair_up(orders)
    weights = weigh(pairs, orders)
    cores, found = hold_outs(pairs, weights), rings(pairs, weights)
    ordinary, ring_of = _beyond_ordinary(cores), np.full(len(cores), -1)
    surprise, shop_surprise = ordinary.copy(), ordinary.copy()
    for number, ring in reversed(list(enumerate(found))):
        own = -ring.chance_log10 * np.log(10)
        surprise[ring.pairs] = np.maximum(ordinary[ring.pairs], own)
        # Of a shop, its share of what the ring is improbable by: others made the rest.
        shop_surprise[ring.pairs] = np.maximum(ordinary[ring.pairs], own / len(ring.shops))
        ring_of[ring.pairs] = number
    return Web(pairs, surprise, shop_surprise, ring_of, found)


def _beyond_ordinary(cores: Floats) -> Floats:
    """Return how improbable each core number is, beyond those that three in four of what is dense at all have.

    What lies beyond a threshold thins out exponentially (Pickands, Annals of Statistics 3, 1975), at the pace at which
    it does before it: rings do not hide one another.
    """
    dense = cores[cores > 0]
    if not len(dense):
        return np.zeros(len(cores))
    before, threshold = np.quantile(dense, [_BEFORE, _ORDINARY])
    pace = (threshold - before) / np.log((1 - _BEFORE) / (1 - _ORDINARY))
    if pace <= 0:
        return np.zeros(len(cores))
    rare = np.log(len(cores) / (len(dense) * (1 - _ORDINARY)))
    return np.where(cores > threshold, rare + (cores - threshold) / pace, 0.0)


def _highest(keys: Ints, values: Floats, count: int) -> Ints:
    """Return for each key the place of its highest value."""
    order = np.lexsort((values, keys))
    places = np.zeros(count, np.int64)
    places[keys[order]] = order
    return places
