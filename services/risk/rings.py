"""Rings: buyers that order at the same shops far more than what they and the shops have in common explains."""

from math import lgamma, log
from typing import NamedTuple

import numpy as np
import polars as pl

from services.risk.boosting import Floats
from services.risk.peeling import Flags, Ints, peel, shared_beyond_chance

_DAY = 86_400.0
# Buying at the same shop is worth more when it happens within the same week, and more within the same day.
_SPANS = (7 * _DAY, _DAY)
_SPAN_WORTH = 0.5
# A shop that so many people bought at tells too little of any two of them.
_MOST_BUYERS = 500
# FRAUDAR's weight of an edge is 1 / log(degree + 5): Hooi et al., KDD 2016, section 4.2.
_POPULARITY_BASE = 5
# A block this improbable by chance is a ring.
CHANCE_LOG10 = -3.0
# So many join a ring by chance.
_JOIN_BY_CHANCE = 0.1
_MOST_RINGS, _MOST_MISSES = 200, 20


class Orders(NamedTuple):
    """Orders by shop and then time, which is in seconds; shops and buyers are numbered from 0."""

    shop: Ints
    buyer: Ints
    time: Floats


class Pairs(NamedTuple):
    """Who bought where, each pair once, numbered from 0 on either side; and the pair of each order."""

    buyer: Ints
    shop: Ints
    sizes: tuple[int, int]
    of_order: Ints


class Ring(NamedTuple):
    """A block of buyers and shops, by their numbers, and the pairs in it (places in Pairs)."""

    buyers: Ints
    shops: Ints
    pairs: Ints
    expected: float
    # Upper bound, as a decimal logarithm, of the chance that any block of this size holds so many pairs.
    chance_log10: float


def numbered(column: pl.Series) -> Ints:
    """Return a number from 0 for each value of a column without unknown ones, in the order of the values."""
    return column.rank("dense").to_numpy().astype(np.int64) - 1


def pair_up(orders: Orders) -> Pairs:
    """Return the pairs behind orders."""
    sizes = _count(orders.buyer), _count(orders.shop)
    _, first, of_order = np.unique(
        orders.buyer * max(sizes[1], 1) + orders.shop, return_index=True, return_inverse=True
    )
    return Pairs(orders.buyer[first], orders.shop[first], sizes, of_order)


def weigh(pairs: Pairs, orders: Orders) -> Floats:
    """Return how much each pair speaks for a ring, 0 where what it shares with other pairs may be chance."""
    shared = shared_beyond_chance(pairs.buyer, pairs.shop, pairs.sizes, _MOST_BUYERS) > 0
    worth = np.ones(len(pairs.buyer))
    for span in _SPANS:
        within = _within(pairs, orders, np.floor(orders.time / span).astype(np.int64))
        worth += _SPAN_WORTH * within
        shared |= within
    popularity = np.bincount(pairs.shop, minlength=pairs.sizes[1])
    supported = np.bincount(pairs.shop[shared], minlength=pairs.sizes[1])
    share = (supported / np.maximum(popularity, 1))[pairs.shop]
    return shared * worth * np.sqrt(share) / np.log(popularity[pairs.shop] + _POPULARITY_BASE)


def hold_outs(pairs: Pairs, weights: Floats) -> Floats:
    """Return how dense a block each pair is part of: the lesser core number of its two ends, 0 for most."""
    cores = np.zeros(len(pairs.buyer))
    live = np.flatnonzero(weights > 0)
    if len(live):
        found, _, (buyers, shops) = _peeled(pairs, weights, live)
        cores[live] = np.minimum(found[buyers], found[buyers.max() + 1 + shops])
    return cores


def rings(pairs: Pairs, weights: Floats) -> list[Ring]:
    """Return the blocks that chance does not explain, the densest first, each with all pairs between its members.

    Peeling leaves the hard core of a block. Who goes with it less than always is taken in before it is judged, if
    that is too often for chance.
    """
    found: list[Ring] = []
    live = np.flatnonzero(weights > 0)
    degrees = np.bincount(pairs.buyer, minlength=pairs.sizes[0]), np.bincount(pairs.shop, minlength=pairs.sizes[1])
    misses = 0
    while len(live) and len(found) < _MOST_RINGS and misses < _MOST_MISSES:
        _, inside, _ = _peeled(pairs, weights, live)
        members = _joined(pairs, _members(pairs, live[inside]), degrees)
        ring = _judged(pairs, members, degrees)
        if ring.chance_log10 <= CHANCE_LOG10:
            found.append(ring)
            inside |= members[0][pairs.buyer[live]] & members[1][pairs.shop[live]]
        else:
            misses += 1
        live = live[~inside]
    return found


def _count(numbers: Ints) -> int:
    return int(numbers.max(initial=-1)) + 1


def _members(pairs: Pairs, block: Ints) -> tuple[Flags, Flags]:
    members = np.zeros(pairs.sizes[0], np.bool_), np.zeros(pairs.sizes[1], np.bool_)
    members[0][pairs.buyer[block]] = True
    members[1][pairs.shop[block]] = True
    return members


def _joined(pairs: Pairs, members: tuple[Flags, Flags], degrees: tuple[Ints, Ints]) -> tuple[Flags, Flags]:
    """Take in, on either side in turn, who deals with the other side's members too often for chance."""
    ends = pairs.buyer, pairs.shop
    inside = [members[0].copy(), members[1].copy()]
    for side in (0, 1):
        own, other = ends[side], ends[1 - side]
        with_members = np.bincount(own[inside[1 - side][other]], minlength=pairs.sizes[side])
        expected = degrees[side] * float(degrees[1 - side][inside[1 - side]].sum()) / len(pairs.buyer)
        surprise = _tail(with_members, np.maximum(expected, 1e-300))
        inside[side] |= (with_members > 1) & (surprise > np.log(pairs.sizes[side] / _JOIN_BY_CHANCE))
    return inside[0], inside[1]


def _within(pairs: Pairs, orders: Orders, span: Ints) -> Flags:
    """Tell which pairs have an order that goes with others' orders at the same shops in the same spans."""
    flags = np.zeros(len(pairs.buyer), np.bool_)
    if len(span):
        place = np.unique(orders.shop * (np.ptp(span) + 1) + span - span.min(), return_inverse=True)[1]
        _, first, edge = np.unique(orders.buyer * _count(place) + place, return_index=True, return_inverse=True)
        sizes = pairs.sizes[0], _count(place)
        support = shared_beyond_chance(orders.buyer[first], place[first], sizes, _MOST_BUYERS)
        flags[pairs.of_order[support[edge] > 0]] = True
    return flags


def _peeled(pairs: Pairs, weights: Floats, live: Ints) -> tuple[Floats, Flags, tuple[Ints, Ints]]:
    """Peel some pairs; return the cores of their ends, which pairs are in the densest block, and the ends' numbers."""
    buyers = np.unique(pairs.buyer[live], return_inverse=True)[1]
    shops = np.unique(pairs.shop[live], return_inverse=True)[1]
    sizes = _count(buyers), _count(shops)
    cores, kept = peel(buyers, shops, sizes, weights[live])
    return cores, kept[buyers] & kept[sizes[0] + shops], (buyers, shops)


def _judged(pairs: Pairs, members: tuple[Flags, Flags], degrees: tuple[Ints, Ints]) -> Ring:
    """Return a block with the chance that any of its size is so dense.

    Were pairs thrown by the degrees of their ends, a block would hold a Poisson number of them; its upper tail is
    bounded by Chernoff's inequality (Annals of Mathematical Statistics 23, 1952), times the number of blocks of that
    size there are.
    """
    buyers, shops = np.flatnonzero(members[0]), np.flatnonzero(members[1])
    held = np.flatnonzero(members[0][pairs.buyer] & members[1][pairs.shop])
    expected = float(degrees[0][buyers].sum()) * float(degrees[1][shops].sum()) / len(pairs.buyer)
    tail = float(_tail(np.array([len(held)]), np.array([expected]))[0])
    chance = _log_choices(pairs.sizes[0], len(buyers)) + _log_choices(pairs.sizes[1], len(shops)) - tail
    return Ring(buyers, shops, held, expected, min(chance / log(10), 0.0))


def _tail(held: Ints, expected: Floats) -> Floats:
    """Return the bound on minus the logarithm of the chance of so many where fewer are expected."""
    many = np.maximum(held, 1)
    return np.where(held > expected, many * np.log(many / expected) - many + expected, 0.0)


def _log_choices(many: int, some: int) -> float:
    return lgamma(many + 1) - lgamma(some + 1) - lgamma(many - some + 1)
