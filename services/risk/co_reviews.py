"""Reviews against chance: how many come at once, and who reviews the same products at the same time as whom."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from services.risk.boosting import Floats

Ints = npt.NDArray[np.int64]

DAY = 86_400.0
WINDOW = 3 * DAY
# So many reviews of a product before and after one are looked at, however many come at once.
_NEAREST = 50
# One pair in a whole file may be found by chance with this probability.
_BY_CHANCE = 0.01
_SMALLEST = 1e-300


class Lockstep(NamedTuple):
    """Pairs of reviewers who keep meeting, and with how many such partners each review meets."""

    pairs: pl.DataFrame
    partners: Ints


def surprise(count: Floats, expected: Floats) -> Floats:
    """Return the negative logarithm of the probability of at least so many events where so many are expected."""
    tail = special.pdtrc(np.maximum(count - 1, 0), expected)
    return np.where(count > 0, -np.log(np.maximum(tail, _SMALLEST)), 0.0)


def crowding(key: Ints, time: Floats, *, window: float = WINDOW) -> tuple[Floats, Floats]:
    """Return for each review how many others of its key are within `window` of it, and how many are expected there.

    Expected is the pace of its key outside of the window; where all keys are busier than usual, so is this one.
    """
    if len(key) == 0:
        return np.empty(0), np.empty(0)
    near = _within(key, time, window)
    of_key = np.bincount(key)[key]
    everywhere = _within(np.zeros_like(key), time, window)
    others, all_others = everywhere - near, len(key) - of_key
    share_of_time = np.minimum(2 * window / (time.max() - time.min() + 2 * window), 0.5)
    share_of_others = (others + share_of_time) / (all_others + 1)
    share = np.clip(share_of_others, share_of_time, 0.5)
    return near - 1, (of_key - near + 1) * share / (1 - share)


def lockstep(reviewer: Ints, product: Ints, time: Floats) -> Lockstep:
    """Find pairs of reviewers who meet at more products, within WINDOW, than chance would let any pair of a file.

    Two reviews meet by chance as often as their products are usually reviewed; a crowd is no excuse.
    """
    met = _met(reviewer, product, time)
    pairs = _beyond_chance(met, reviewer, crowding(product, time)[1])
    found = met.join(pairs, on=["a", "b"], how="semi")
    ends = pl.concat(found.select(row=own, other=other) for own, other in (("row_a", "b"), ("row_b", "a")))
    partners = np.zeros(len(reviewer), dtype=np.int64)
    counted = ends.group_by("row").agg(pl.n_unique("other"))
    partners[counted["row"].to_numpy()] = counted["other"].to_numpy()
    return Lockstep(pairs, partners)


def _within(key: Ints, time: Floats, window: float) -> Floats:
    """Return how many of a key's reviews, itself among them, are within `window` of each."""
    stretch = time.max() - time.min() + 3 * window
    place = key * stretch + (time - time.min())
    ordered = np.sort(place)
    until = np.searchsorted(ordered, place + window, side="right")
    since = np.searchsorted(ordered, place - window, side="left")
    return np.asarray(until - since, dtype=np.float64)


def _met(reviewer: Ints, product: Ints, time: Floats) -> pl.DataFrame:
    """Return the pairs of reviews of a product within WINDOW by two reviewers of several: a, b, product and rows."""
    several = (
        pl.DataFrame({"reviewer": reviewer, "product": product})
        .with_row_index("row")
        .filter(pl.n_unique("product").over("reviewer") > 1)["row"]
        .to_numpy()
        .astype(np.int64)
    )
    rows = several[np.lexsort((time[several], product[several]))]
    earlier, later = [], []
    for step in range(1, _NEAREST + 1):
        first, second = rows[:-step], rows[step:]
        meets = (product[first] == product[second]) & (time[second] - time[first] <= WINDOW)
        if not meets.any():
            break
        earlier.append(first[meets])
        later.append(second[meets])
    one, two = (np.concatenate(part) if part else np.empty(0, np.int64) for part in (earlier, later))
    is_first = reviewer[one] < reviewer[two]
    row_a, row_b = np.where(is_first, one, two), np.where(is_first, two, one)
    met = pl.DataFrame(
        {"a": reviewer[row_a], "b": reviewer[row_b], "product": product[row_a], "row_a": row_a, "row_b": row_b}
    )
    return met.filter(pl.col("a") != pl.col("b"))


def _beyond_chance(met: pl.DataFrame, reviewer: Ints, paces: Floats) -> pl.DataFrame:
    """Return the pairs that meet at too many products: a, b, products, surprise."""
    pairs = met.group_by("a", "b").agg(products=pl.n_unique("product")).filter(pl.col("products") > 1).sort("a", "b")
    if pairs.is_empty():
        return pairs.with_columns(surprise=pl.lit(0.0))
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    reviews = np.bincount(reviewer).astype(np.float64)
    crowd = np.bincount(reviewer, weights=paces)
    expected = np.maximum(reviews[a] * crowd[b], reviews[b] * crowd[a]) / len(reviewer)
    beyond = surprise(pairs["products"].to_numpy().astype(np.float64), expected)
    several = np.count_nonzero(reviews > 1)
    bound = np.log(max(several * (several - 1) / 2, 1)) - np.log(_BY_CHANCE)
    return pairs.with_columns(surprise=beyond).filter(pl.col("surprise") > bound)
