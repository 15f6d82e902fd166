"""Dense blocks of a graph with two sides, such as buyers and shops: what ends share, and what is left last."""

import heapq

import numpy as np
import numpy.typing as npt
from numba import njit

from services.risk.boosting import Floats

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@njit(cache=False)
def grouped(keys: Ints, count: int) -> tuple[Ints, Ints]:  # pragma: no cover - compiled
    """Return where each key's places start, (count + 1,), and the places in the order of their keys."""
    starts = np.zeros(count + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for key in range(count):
        starts[key + 1] += starts[key]
    following = starts[:-1].copy()
    places = np.empty(len(keys), np.int64)
    for place in range(len(keys)):
        places[following[keys[place]]] = place
        following[keys[place]] += 1
    return starts, places


def shared_beyond_chance(left: Ints, right: Ints, sizes: tuple[int, int], most: int) -> Floats:
    """Return for each edge how improbable it is that others at its right end share so much more with its left end.

    `left` and `right` are the ends of distinct edges, numbered from 0 below `sizes`. Two left ends that share k right
    ends count by the logarithm of how improbable each shared one is, were edges thrown by the degrees of their ends,
    less the logarithm of the number of pairs and of choices of k that there are: below zero it may be chance and counts
    nothing. A right end with more than `most` edges says too little of any two of them and is passed over.
    """
    degrees, popularity = np.bincount(left, minlength=sizes[0]), np.bincount(right, minlength=sizes[1])
    telling = np.flatnonzero((degrees[left] > 1) & (popularity[right] > 1) & (popularity[right] <= most))
    # The busiest first: what is met most often lies close together in memory.
    busiest = np.argsort(-degrees, kind="stable")
    number = np.empty_like(busiest)
    number[busiest] = np.arange(len(busiest))
    telling = telling[np.argsort(number[left[telling]], kind="stable")]
    rarity = np.log(len(left) / np.maximum(popularity, 1))
    support = np.zeros(len(left))
    support[telling] = _support(number[left[telling]], right[telling], degrees[busiest], rarity)
    return support


@njit(cache=False)
def _support(left: Ints, right: Ints, degrees: Ints, rarity: Floats) -> Floats:  # pragma: no cover - compiled
    """Do it for edges in the order of their left ends."""
    starts_left, _ = grouped(left, len(degrees))
    starts_right, of_right = grouped(right, len(rarity))
    others = left[of_right]
    logs = np.log(np.maximum(degrees, 1).astype(np.float64))
    surprise, times = np.zeros(len(degrees)), np.zeros(len(degrees), np.int64)
    met = np.empty(len(degrees), np.int64)
    support = np.zeros(len(left))
    for one in range(len(degrees)):
        count = 0
        for edge in range(starts_left[one], starts_left[one + 1]):
            end = right[edge]
            for other in others[starts_right[end] : starts_right[end + 1]]:
                if other >= one:
                    break  # each pair once, and these are in order
                if times[other] == 0:
                    met[count] = other
                    count += 1
                times[other] += 1
                surprise[other] += max(rarity[end] - max(logs[other], logs[one]), 0.0)
        if _discount(met[:count], degrees[one], degrees, surprise, times):
            for edge in range(starts_left[one], starts_left[one + 1]):
                _credit(
                    edge,
                    one,
                    of_right[starts_right[right[edge]] : starts_right[right[edge] + 1]],
                    left,
                    surprise,
                    support,
                )
        surprise[met[:count]], times[met[:count]] = 0.0, 0
    return support


@njit(cache=False)
def _discount(met: Ints, degree: int, degrees: Ints, surprise: Floats, times: Ints) -> bool:  # pragma: no cover
    """Take off what is to be expected of the many pairs and choices there are; tell whether anything is left."""
    found = False
    for other in met:
        shared = times[other]
        fewer = min(degree, degrees[other])
        chances = np.log(len(degrees))
        for taken in range(shared):
            chances += np.log((fewer - taken) / (taken + 1.0))
        surprise[other] = max(surprise[other] - chances, 0.0) if shared > 1 else 0.0
        found |= surprise[other] > 0
    return found


@njit(cache=False)
def _credit(
    edge: int, one: int, beside: Ints, left: Ints, surprise: Floats, support: Floats
) -> None:  # pragma: no cover
    """Give both edges of a pair at a right end what the pair shares beyond chance."""
    for place in beside:
        if left[place] >= one:
            break
        support[edge] += surprise[left[place]]
        support[place] += surprise[left[place]]


@njit(cache=False)
def peel(left: Ints, right: Ints, sizes: tuple[int, int], weights: Floats) -> tuple[Floats, Flags]:  # pragma: no cover
    """Take the node of least weight away again and again; return how far each held out, and the densest rest.

    The first is, for the left ends and then the right ones, the highest weight at which the node or one before it was
    the least: its weighted core number. The second tells who was there when the weight per node was highest: FRAUDAR's
    block (Hooi et al., FRAUDAR: Bounding Graph Fraud in the Face of Camouflage, KDD 2016, algorithm 1).
    """
    nodes = np.concatenate((left, right + sizes[0]))
    count = sizes[0] + sizes[1]
    starts, places = grouped(nodes, count)
    degrees = np.zeros(count)
    for place in range(len(nodes)):
        degrees[nodes[place]] += weights[place % len(left)]
    heap = [(degrees[node], node) for node in range(count) if starts[node + 1] > starts[node]]
    heapq.heapify(heap)
    cores, gone, removed = np.zeros(count), np.zeros(count, np.bool_), np.zeros(count, np.int64)
    total, remaining, level, densest, best = weights.sum(), len(heap), 0.0, -1.0, 0
    while remaining:
        weight, node = heapq.heappop(heap)
        if gone[node] or weight > degrees[node]:
            continue  # an entry from before one of its edges went
        if total / remaining > densest:
            densest, best = total / remaining, remaining
        level = max(level, degrees[node])
        cores[node], gone[node], removed[node] = level, True, remaining
        remaining -= 1
        for place in places[starts[node] : starts[node + 1]]:
            edge = place % len(left)
            other = nodes[place + len(left)] if place < len(left) else nodes[edge]
            if not gone[other]:
                degrees[other] -= weights[edge]
                total -= weights[edge]
                heapq.heappush(heap, (degrees[other], other))
    return cores, removed * (removed <= best) > 0
