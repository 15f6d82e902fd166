"""Orders drawn in bulk: one row per order, and the times at which its documents come into being."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from simulator.listings import Integers, Listings
from simulator.platforms import Platform
from simulator.timeline import DAY_MS, HOUR_MS, MINUTE_MS, NEVER, Moments, Timeline


class Document(IntEnum):
    """What an order leaves behind, each with a time of its own."""

    PLACED = 0
    PAID = 1
    PAID_REST = 2
    CANCELLED = 3
    SHIPPED = 4
    DELIVERED = 5
    REVIEWED = 6


class Flaw(IntEnum):
    """What is wrong with an order on purpose."""

    NONE = 0
    AMOUNT = 1
    NO_WAYBILL = 2
    TIME_ORDER = 3
    CHANNEL = 4


class OrderRow(Struct, frozen=True, gc=False):
    """One order as numbers; the fields are those of `ROW`, in its order."""

    serial: int
    buyer: int
    device: int
    address: int
    ip: int
    lines: int
    listing_1: int
    listing_2: int
    listing_3: int
    quantity_1: int
    quantity_2: int
    quantity_3: int
    freight_1: int
    freight_2: int
    freight_3: int
    total: int
    paid: int
    first_part: int
    weight_g: int
    rating: int
    text: int
    flaw: int


_SMALL = {"lines", "quantity_1", "quantity_2", "quantity_3", "rating", "flaw"}
# Rows stay in memory until their last document is sent: at ten million events a byte here costs 2 MB.
ROW = np.dtype(
    [(name, "u1" if name in _SMALL else "u4" if name == "serial" else "i4") for name in OrderRow.__struct_fields__]
)

_FLAW_SHARES = (0.004, 0.009, 0.012, 0.018)
_UNPAID, _WITHDRAWN = 0.025, 0.012
_TIME_TO_SHOW = 8 * DAY_MS


@dataclass(frozen=True)
class Orders:
    """Rows, the time of each document of each row (or NEVER), and when a complaint follows."""

    rows: NDArray[np.void]
    times: dict[Document, Moments]
    complained_ms: Moments


@dataclass(frozen=True, kw_only=True)
class Market:
    """What orders are drawn from."""

    platform: Platform
    listings: Listings
    timeline: Timeline
    buyers: int


def choose_listings(market: Market, from_ms: int, to_ms: int, share: NDArray[np.float64]) -> Integers:
    """Return an offer per share (0 to 1), by popularity, among those that stand during the span."""
    weights = np.cumsum(market.listings.popularity * market.listings.on_offer(from_ms, to_ms))
    places: Integers = np.searchsorted(weights, share * weights[-1], side="right")
    return places.clip(max=len(weights) - 1)


def draw_orders(market: Market, placed: Moments, first: Integers, draw: np.random.Generator) -> Orders:
    """Draw ordinary orders at the given times, each with the given offer on its first line."""
    rows = np.zeros(len(placed), ROW)
    _draw_buyers(rows, market, draw)
    _draw_lines(rows, market, placed, first, draw)
    rows["flaw"] = _flaws(placed, market.timeline, draw)
    _draw_payment(rows, draw)
    misconduct = market.listings.misconduct[first]
    rows["rating"] = 5 - (draw.exponential(0.6 + 2 * misconduct)).astype(np.int64).clip(max=4)
    rows["text"] = draw.integers(0, 900_000, len(rows))
    times = _draw_times(rows, placed, draw)
    displeasure = 0.1 * misconduct**2 + market.listings.disappoints[first]
    return Orders(rows, times, _draw_complaints(rows, times, displeasure, draw))


def _draw_buyers(rows: NDArray[np.void], market: Market, draw: np.random.Generator) -> None:
    size = len(rows)
    buyer = (market.buyers * draw.random(size) ** 1.5).astype(np.int64)
    rows["buyer"] = buyer
    rows["device"] = buyer * 2 + (draw.random(size) < 0.3)
    # One in five shares a household's address: sharing alone must not look like a ring.
    rows["address"] = np.where(buyer % 5 == 4, buyer - 1, buyer)
    rows["ip"] = buyer * 4 + draw.integers(0, 4, size)


def _draw_lines(
    rows: NDArray[np.void], market: Market, placed: Moments, first: Integers, draw: np.random.Generator
) -> None:
    listings, size = market.listings, len(rows)
    rows["lines"] = 1 + np.searchsorted((0.82, 0.95), draw.random(size))
    neighbour = listings.first[first] + (draw.random(size) * listings.count[first]).astype(np.int64)
    anywhere = choose_listings(market, int(placed[0]), int(placed[-1]), draw.random(size))
    total, weight_g = np.zeros(size, np.int64), np.full(size, 60)
    second = np.where(draw.random(size) < 0.6, neighbour, anywhere)
    for line, wanted in enumerate((first, second, neighbour), 1):
        stands = (listings.published_ms[wanted] < placed) & (listings.until_ms[wanted] > placed)
        offer = np.where(stands, wanted, first)
        ordered = line <= rows["lines"]
        quantity = ordered * (1 + np.searchsorted((0.86, 0.96, 0.99), draw.random(size)))
        freight = ordered * _freight(listings.weight_g[offer], market.platform, draw)
        rows[f"listing_{line}"], rows[f"quantity_{line}"], rows[f"freight_{line}"] = offer, quantity, freight
        total += quantity * listings.price[offer] + freight
        weight_g += quantity * listings.weight_g[offer]
    rows["total"] = total
    rows["weight_g"] = weight_g * (0.98 + 0.06 * draw.random(size))


def _freight(weight_g: Integers, platform: Platform, draw: np.random.Generator) -> Integers:
    charged = draw.random(len(weight_g)) < 0.75
    return charged * (200 + weight_g * 3 // 10) * platform.price_level // 100


def _flaws(placed: Moments, timeline: Timeline, draw: np.random.Generator) -> Integers:
    chance = draw.random(len(placed))
    amount, no_waybill, time_order, channel = _FLAW_SHARES
    flaws = np.select(
        [chance < amount, chance < no_waybill, chance < time_order, (chance < channel) & (placed >= timeline.lapse_ms)],
        [Flaw.AMOUNT, Flaw.NO_WAYBILL, Flaw.TIME_ORDER, Flaw.CHANNEL],
        Flaw.NONE,
    )
    # An order of yesterday without a waybill is no sign of anything yet.
    return np.where(placed < timeline.end_ms - _TIME_TO_SHOW, flaws, Flaw.NONE)


def _draw_payment(rows: NDArray[np.void], draw: np.random.Generator) -> None:
    size = len(rows)
    total = rows["total"].astype(np.int64)
    off_by = 101 + (total * (0.02 + 0.3 * draw.random(size))).astype(np.int64)
    # Half pay less than was ordered (never below zero), half more.
    signed = np.where((draw.random(size) < 0.5) & (off_by < total), -off_by, off_by)
    paid = total + np.where(rows["flaw"] == Flaw.AMOUNT, signed, 0)
    split = draw.random(size) < 0.06
    rows["paid"] = paid
    rows["first_part"] = np.where(split, paid * (0.2 + 0.6 * draw.random(size)), paid)


def _draw_times(rows: NDArray[np.void], placed: Moments, draw: np.random.Generator) -> dict[Document, Moments]:
    size = len(rows)
    paid = placed + 20_000 + _spread(draw.exponential(5.0, size), MINUTE_MS)
    shipped = paid + 30 * MINUTE_MS + _spread(draw.lognormal(2.7, 0.7, size), HOUR_MS)
    delivered = shipped + 4 * HOUR_MS + _spread(draw.lognormal(1.4, 0.45, size), DAY_MS)
    early = paid + ((shipped - paid) * (0.2 + 0.6 * draw.random(size))).astype(np.int64)
    reviewed = delivered + HOUR_MS + _spread(draw.exponential(1.2, size), DAY_MS)
    fate, flawless = draw.random(size), rows["flaw"] == Flaw.NONE
    unpaid = flawless & (fate < _UNPAID)
    withdrawn = flawless & ~unpaid & (fate < _UNPAID + _WITHDRAWN)
    cancelled = np.where(unpaid, placed + 2 * HOUR_MS, paid + _spread(draw.exponential(5.0, size), HOUR_MS))
    unsent = unpaid | withdrawn | (rows["flaw"] == Flaw.NO_WAYBILL)
    delivered = np.where(rows["flaw"] == Flaw.TIME_ORDER, early, delivered)
    return {
        Document.PLACED: placed,
        Document.PAID: np.where(unpaid, NEVER, paid),
        Document.PAID_REST: np.where(unpaid | (rows["first_part"] == rows["paid"]), NEVER, paid + 45_000),
        Document.CANCELLED: np.where(unpaid | withdrawn, cancelled, NEVER),
        Document.SHIPPED: np.where(unsent, NEVER, shipped),
        Document.DELIVERED: np.where(unsent, NEVER, delivered),
        Document.REVIEWED: np.where(unsent | (draw.random(size) < 0.45), NEVER, reviewed),
    }


def _draw_complaints(
    rows: NDArray[np.void],
    times: dict[Document, Moments],
    displeasure: NDArray[np.float64],
    draw: np.random.Generator,
) -> Moments:
    chance = 0.012 + displeasure + 0.4 * (rows["flaw"] == Flaw.NO_WAYBILL)
    upset = (draw.random(len(rows)) < chance) & (times[Document.PAID] < NEVER)
    patience_ends = times[Document.PLACED] + 3 * DAY_MS
    arrived = times[Document.DELIVERED] < NEVER
    reason = np.where(arrived, times[Document.DELIVERED], patience_ends)
    return np.where(upset, reason + _spread(draw.exponential(1.5, len(rows)), DAY_MS), NEVER)


def _spread(amounts: NDArray[np.float64], unit_ms: int) -> Moments:
    return (amounts * unit_ms).astype(np.int64)
