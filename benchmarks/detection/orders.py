"""Orders of a market of our own: shops that brush, and rings of buyers at three difficulties."""

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.detection.figures import FIGURES, RUNS, track
from benchmarks.detection.peers import NOTHING_EARLIER, unsupervised
from benchmarks.market import MONTH, RINGS, Market, ordinary, with_brushing, with_ring
from benchmarks.results import Result
from services.risk import orders
from services.risk.boosting import Floats
from services.risk.peeling import peel
from services.risk.rings import Orders, pair_up

_BRUSHING_SHOPS = 300


def measure(_: Path) -> list[Result]:
    """Score orders and shops of seeded markets; no file is needed."""
    return [*_shops(), *(_ring(difficulty) for difficulty in RINGS)]


def _shops() -> list[Result]:
    """Rank shops: some brush in bursts, some for weeks, some by rings; the peers rank those of the first market."""
    markets = [_brushed(seed) for seed in range(RUNS)]
    judged = [orders.rank(_frame(market)).shops for market in markets]
    truths = [
        np.array([int(name) in m.brushing for name in own], dtype=float) for m, own in zip(markets, judged, strict=True)
    ]
    scores = [np.array([one.score for one in own.values()]) for own in judged]
    matrix = _described(markets[0], list(judged[0]))
    peers = unsupervised(
        matrix, matrix, "orders, buyers, orders for each buyer, the busiest hour and its buyers", NOTHING_EARLIER
    )
    results = track("orders", scores[:1], truths[0], peers, figures=tuple(FIGURES), notes=_notes())
    for result, figure in zip(results, FIGURES.values(), strict=True):
        found = [figure(own, true) for own, true in zip(scores, truths, strict=True)]
        result.value = float(np.mean(found))
        result.ratio = result.value / result.reference_value if result.reference_value else None
        result.notes.append(f"markets of other seeds: {_list(found)}")
    return results


def _brushed(seed: int) -> Market:
    rng = np.random.default_rng(seed)
    market = with_brushing(ordinary(MONTH, rng), _BRUSHING_SHOPS, MONTH.days, rng)
    for difficulty in RINGS.values():
        market = with_ring(market, difficulty, MONTH.days, rng)
    return market


def _notes() -> list[str]:
    shops = sum(ring.shops for ring in RINGS.values())
    return [
        f"a month of {MONTH.orders:,} orders at {MONTH.shops:,} shops",
        f"{_BRUSHING_SHOPS} of them order from themselves, {shops} belong to three rings",
        "the market is our own: the figure says that the detector finds what it was made for, not what it is worth",
    ]


def _ring(difficulty: str) -> Result:
    """Return the share of a ring's orders among as many of the highest-scored ones as it has, the mean of markets."""
    ours, plain = [], []
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        market = with_ring(ordinary(MONTH, rng), RINGS[difficulty], MONTH.days, rng)
        judged = orders.rank(_frame(market))
        scores = np.array([judged.orders[str(n)].score for n in range(len(market.buyer))])
        ours.append(_precision(scores, market))
        plain.append(_precision(_plain_cores(market), market))
    return Result(
        name=f"rings_{difficulty}.precision",
        value=float(np.mean(ours)),
        unit="precision",
        reference="FRAUDAR's weights, the same orders by their cores",
        reference_value=float(np.mean(plain)),
        ratio=float(np.mean(ours) / np.mean(plain)),
        notes=[f"markets of other seeds: {_list(ours)}; the reference: {_list(plain)}", _planted(difficulty)],
    )


def _planted(difficulty: str) -> str:
    ring = RINGS[difficulty]
    return (
        f"{ring.buyers} buyers at {ring.shops} shops, {ring.density:.0%} of the pairs within {ring.days:g} days, "
        f"{ring.camouflage:g} orders elsewhere for each"
    )


def _precision(scores: Floats, market: Market) -> float:
    first = np.argsort(-scores, kind="stable")[: int(market.in_ring.sum())]
    return float(market.in_ring[first].mean())


def _plain_cores(market: Market) -> Floats:
    shop = np.unique(market.shop, return_inverse=True)[1]
    buyer = np.unique(market.buyer, return_inverse=True)[1]
    pairs = pair_up(Orders(shop, buyer, market.time))
    popularity = np.bincount(pairs.shop, minlength=pairs.sizes[1])
    cores, _ = peel(pairs.buyer, pairs.shop, pairs.sizes, 1 / np.log(popularity[pairs.shop] + 5))
    return np.minimum(cores[pairs.buyer], cores[pairs.sizes[0] + pairs.shop])[pairs.of_order]


def _described(market: Market, names: list[str]) -> Floats:
    hour = (pl.col("time") // 3600).alias("hour")
    by_hour = _frame(market).group_by("shop_ref", hour).agg(pl.len(), pl.col("buyer_ref").n_unique().alias("people"))
    busiest = by_hour.sort("len").group_by("shop_ref").last().select("shop_ref", "len", "people")
    shops = (
        _frame(market)
        .group_by("shop_ref")
        .agg(pl.len().alias("orders"), pl.col("buyer_ref").n_unique().alias("buyers"))
    )
    described = pl.DataFrame({"shop_ref": names})
    for more in (shops, busiest):
        described = described.join(more, on="shop_ref", how="left", maintain_order="left")
    each = (pl.col("orders") / pl.col("buyers")).alias("each")
    in_hour = (pl.col("len") / pl.col("people")).alias("in_hour")
    return described.select("orders", "buyers", each, "len", in_hour).cast(pl.Float64).to_numpy()


def _frame(market: Market) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "order_ref": [str(n) for n in range(len(market.buyer))],
            "shop_ref": market.shop.astype(str),
            "buyer_ref": market.buyer.astype(str),
            "time": market.time,
        }
    )


def _list(figures: list[float]) -> str:
    return ", ".join(f"{figure:.3f}" for figure in figures)
