"""Seconds of one core to find rings among a million pairs of buyers and shops, beside plain peeling of the same."""

import heapq
import time
from statistics import median

import numpy as np

from benchmarks.market import RINGS, Size, ordinary, with_ring
from benchmarks.results import Result
from services.risk.rings import Orders, Pairs, pair_up, rings, weigh

SIZE = Size(orders=1_140_000, shops=50_000, buyers=400_000, days=30)
_RUNS = 3
_MILLION = 1_000_000


def seconds_per_million_edges(seed: int = 5) -> Result:
    """Find the rings of a market of SIZE on one core; compiling is done before."""
    rng = np.random.default_rng(seed)
    market = ordinary(SIZE, rng)
    for difficulty in RINGS.values():
        market = with_ring(market, difficulty, SIZE.days, rng)
    order = np.lexsort((market.time, market.shop))
    shop, buyer = (np.unique(column, return_inverse=True)[1][order] for column in (market.shop, market.buyer))
    orders = Orders(shop, buyer, market.time[order])
    _once(Orders(shop[:20_000], buyer[:20_000], orders.time[:20_000]))
    runs = [_once(orders) for _ in range(_RUNS)]
    pairs = pair_up(orders)
    started = time.process_time()
    plain_peeling(pairs)
    plain = (time.process_time() - started) * _MILLION / len(pairs.buyer)
    seconds = median(seconds for seconds, _ in runs) * _MILLION / len(pairs.buyer)
    spread = ", ".join(f"{run:.2f}" for run, _ in runs)
    return Result(
        name="risk.rings_s_per_million_edges",
        value=seconds,
        unit="s",
        reference="FRAUDAR's greedy peeling (one block, no pairs weighed by what they share), in Python with a heap",
        reference_value=plain,
        ratio=seconds / plain,
        notes=[
            f"{len(pairs.buyer):,} pairs of {SIZE.orders:,} orders and more, {runs[0][1]} rings found",
            f"{_RUNS} runs: {spread} s of CPU on one core",
        ],
    )


def _once(orders: Orders) -> tuple[float, int]:
    started = time.process_time()
    pairs = pair_up(orders)
    found = rings(pairs, weigh(pairs, orders))
    return time.process_time() - started, len(found)


def plain_peeling(pairs: Pairs) -> int:
    """Return how many nodes are in the densest block, as algorithm 1 of FRAUDAR finds it (Hooi et al., KDD 2016)."""
    popularity = np.bincount(pairs.shop, minlength=pairs.sizes[1])
    weights = (1 / np.log(popularity[pairs.shop] + 5)).tolist()
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(sum(pairs.sizes))]
    degrees = [0.0] * len(neighbours)
    for buyer, shop, weight in zip(pairs.buyer.tolist(), pairs.shop.tolist(), weights, strict=True):
        other = pairs.sizes[0] + shop
        neighbours[buyer].append((other, weight))
        neighbours[other].append((buyer, weight))
        degrees[buyer] += weight
        degrees[other] += weight
    heap = [(degree, node) for node, degree in enumerate(degrees) if degree]
    heapq.heapify(heap)
    gone = bytearray(len(degrees))
    total, left, densest, best = sum(degrees) / 2, len(heap), 0.0, 0
    while heap:
        degree, node = heapq.heappop(heap)
        if gone[node] or degree > degrees[node]:
            continue
        if total / left > densest:
            densest, best = total / left, left
        gone[node] = 1
        left -= 1
        for other, weight in neighbours[node]:
            if not gone[other]:
                degrees[other] -= weight
                total -= weight
                heapq.heappush(heap, (degrees[other], other))
    return best
