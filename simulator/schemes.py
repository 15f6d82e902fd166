"""Schemes that take orders of their own: brushing rings and campaigns of bought reviews."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.listings import Integers
from simulator.operators import Accounts
from simulator.orders import Document, Flaw, Market, Orders, draw_orders
from simulator.reviews import campaign_text
from simulator.timeline import DAY_MS, HOUR_MS, MINUTE_MS, NEVER, Moments

# Ordinary orders count their serials from 0 in every window and never get here.
FIRST_PLANTED_SERIAL = 2**31


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Orders a shop arranged for itself. `covert` means it took pains to look ordinary."""

    shop: int
    covert: bool
    orders: Orders


@dataclass(frozen=True, kw_only=True)
class Campaigns:
    """What a platform's shops arranged, with serials that no ordinary order has."""

    rings: tuple[Campaign, ...]
    bought: tuple[Campaign, ...]


def plan_campaigns(market: Market, accounts: Accounts, *, size: int, draw: np.random.Generator) -> Campaigns:
    """Draw the arranged orders, about `size` of them for each shop that takes part."""
    serial = FIRST_PLANTED_SERIAL
    rings, bought = [], []
    for turn, shop in enumerate(accounts.ring_shops):
        ring = _brushing_ring(market, shop, size, draw, covert=turn % 2 == 1)
        rings.append(_numbered(ring, serial))
        serial += len(ring.orders.rows)
    for turn, shop in enumerate(accounts.review_buyers):
        campaign = _bought_reviews(market, shop, size, draw, number=turn)
        bought.append(_numbered(campaign, serial))
        serial += len(campaign.orders.rows)
    return Campaigns(rings=tuple(rings), bought=tuple(bought))


def _numbered(campaign: Campaign, serial: int) -> Campaign:
    rows = campaign.orders.rows
    rows["serial"] = np.arange(serial, serial + len(rows))
    return campaign


def _brushing_ring(market: Market, shop: int, size: int, draw: np.random.Generator, *, covert: bool) -> Campaign:
    start_ms = market.timeline.start_ms + int(draw.integers(3 * DAY_MS, 20 * DAY_MS))
    span_ms = (6 if covert else 2) * DAY_MS
    placed = np.sort(start_ms + draw.integers(0, span_ms, size))
    orders = draw_orders(market, placed, _offers_of(market, shop, size, draw), draw)
    rows, times = orders.rows, orders.times
    # The ring's people have numbers of their own beyond the platform's ordinary buyers.
    first_member = market.buyers + shop * 16
    members = draw.integers(0, 8 if covert else 4, size)
    rows["buyer"] = first_member + members
    rows["device"] = 2 * (first_member + members % (3 if covert else 1))
    rows["address"] = first_member + members % (4 if covert else 1)
    rows["ip"] = 4 * (first_member + members % 2)
    _make_plain(orders)
    without_parcel = draw.random(size) < (0.3 if covert else 0.6)
    rows["weight_g"] = draw.integers(1, 25, size)
    times[Document.SHIPPED] = np.where(without_parcel, NEVER, times[Document.PAID] + 3 * HOUR_MS)
    times[Document.DELIVERED] = np.where(without_parcel, NEVER, times[Document.PAID] + 20 * HOUR_MS)
    times[Document.REVIEWED] = times[Document.PAID] + 21 * HOUR_MS + draw.integers(0, 6 * HOUR_MS, size)
    rows["rating"] = 5
    return Campaign(shop=shop, covert=covert, orders=orders)


def _bought_reviews(market: Market, shop: int, size: int, draw: np.random.Generator, *, number: int) -> Campaign:
    covert = number % 2 == 1
    start_ms = market.timeline.start_ms + int(draw.integers(3 * DAY_MS, 12 * DAY_MS))
    placed = np.sort(start_ms + draw.integers(0, 6 * DAY_MS, size))
    orders = draw_orders(market, placed, _offers_of(market, shop, size, draw), draw)
    rows, times = orders.rows, orders.times
    _make_plain(orders)
    times[Document.SHIPPED] = times[Document.PAID] + draw.integers(6 * HOUR_MS, DAY_MS, size)
    times[Document.DELIVERED] = times[Document.SHIPPED] + draw.integers(2 * DAY_MS, 4 * DAY_MS, size)
    burst_ms = int(times[Document.DELIVERED].max())
    span_ms = (4 * DAY_MS) if covert else (8 * HOUR_MS)
    times[Document.REVIEWED] = burst_ms + draw.integers(30 * MINUTE_MS, span_ms, size)
    rows["rating"] = 5
    variants = draw.integers(0, 1_000, size)
    rows["text"] = [campaign_text(number, int(variant)) for variant in variants]
    return Campaign(shop=shop, covert=covert, orders=orders)


def _offers_of(market: Market, shop: int, size: int, draw: np.random.Generator) -> Integers:
    offers = np.flatnonzero(market.listings.operator == shop)
    return draw.choice(offers, size)


def _make_plain(orders: Orders) -> None:
    """Undo the ordinary flaws: a campaign's order is paid in full and nobody complains."""
    rows, times = orders.rows, orders.times
    rows["flaw"] = Flaw.NONE
    rows["paid"] = rows["first_part"] = rows["total"]
    paid = times[Document.PLACED] + 90_000
    times[Document.PAID] = paid
    for document in (Document.PAID_REST, Document.CANCELLED):
        times[document] = np.full(len(rows), NEVER)
    orders.complained_ms[:] = NEVER


def within(campaigns: Sequence[Campaign], from_ms: int, to_ms: int) -> list[Orders]:
    """Return the arranged orders placed in the span."""
    found = []
    for campaign in campaigns:
        placed = campaign.orders.times[Document.PLACED]
        first, last = np.searchsorted(placed, (from_ms, to_ms))
        if first < last:
            found.append(part(campaign.orders, np.arange(first, last)))
    return found


def part(orders: Orders, places: NDArray[np.int64]) -> Orders:
    """Return some rows of the orders with their times."""
    times: dict[Document, Moments] = {document: at[places] for document, at in orders.times.items()}
    return Orders(orders.rows[places], times, orders.complained_ms[places])
