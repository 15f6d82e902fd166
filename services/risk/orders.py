"""Orders that shops arrange for themselves: within the hour, by the same few buyers again and again, or by rings."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from services.risk import tables
from services.risk.boosting import Ranked
from services.risk.brushing import Brushing, Web, look
from services.risk.rings import Orders, numbered
from services.risk.tables import MOMENT, Column, Fault, Problem
from services.risk.tails import Surprise, least_probable

COLUMNS: dict[str, Column] = {
    "order_ref": Column(pl.String, ("orderid", "order_id"), "The order", required=True),
    "shop_ref": Column(pl.String, ("shopid", "shop_id", "seller_id"), "Where", required=True),
    "buyer_ref": Column(pl.String, ("userid", "user_id", "customer_unique_id"), "Who buys", required=True),
    "time": Column(
        MOMENT, ("event_time",), "When, in seconds since 1970 or as ISO 8601", required=True, is_moment=True
    ),
}
_FAULTS = {"time": Fault("is not a time", ~pl.col("time").is_finite())}
_UNREAD = Ranked(0.0, ["could not be read"])


class Judged(NamedTuple):
    """Each order and each shop by its reference, and the buyers and shops of each ring, the densest first."""

    orders: dict[str, Ranked]
    shops: dict[str, Ranked]
    rings: list[tuple[list[str], list[str]]]


def read(raw: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[Problem]]:
    """Return orders as `tables.read()` reads them."""
    return tables.read(raw, COLUMNS, names, _FAULTS)


def rank(frame: pl.DataFrame) -> Judged:
    """Score every order and every shop by the least probable of three things: bursts, repeats and rings.

    An order that could not be read is scored 0; one of several shops by the worst of its parts.
    """
    whole = frame.drop_nulls().unique(["order_ref", "shop_ref", "buyer_ref"], keep="first", maintain_order=True)
    whole = whole.sort("shop_ref", "time", "buyer_ref", "order_ref")
    buyers, shops = (whole[name].unique().sort() for name in ("buyer_ref", "shop_ref"))
    orders_of = Orders(numbered(whole["shop_ref"]), numbered(whole["buyer_ref"]), whole["time"].to_numpy())
    found = look(orders_of)
    of_orders, of_shops = _surprises(found)
    orders = dict.fromkeys((ref for ref in frame["order_ref"] if ref is not None), _UNREAD)
    for ref, one in zip(whole["order_ref"], least_probable(of_orders), strict=True):
        if orders[ref] is _UNREAD or one.score > orders[ref].score:
            orders[ref] = one
    return Judged(
        orders,
        dict(zip(shops, least_probable(of_shops), strict=True)),
        [(buyers.gather(ring.buyers).to_list(), shops.gather(ring.shops).to_list()) for ring in found.web.rings],
    )


def _surprises(found: Brushing) -> tuple[list[Surprise], list[Surprise]]:
    """Return the three signals of orders, and of shops."""
    burst, again, web, worst, deepest = found
    of_order = web.pairs.of_order

    def in_the_hour(order: int) -> str:
        return f"{burst.orders[order]} orders by {burst.buyers[order]} buyers within an hour"

    def at_the_shop(shop: int) -> str:
        return f"{again.shop_orders[shop]} orders by {again.shop_buyers[shop]} buyers"

    def dense(pair: int) -> str:
        return _of_ring(web, pair)

    of_orders = [
        Surprise(burst.surprise, in_the_hour),
        Surprise(
            again.of_pair[of_order],
            lambda order: f"{again.orders[of_order[order]]} orders of this buyer at this shop",
        ),
        Surprise(web.surprise[of_order], lambda order: dense(int(of_order[order]))),
    ]
    of_shops = [
        Surprise(burst.surprise[worst], lambda shop: in_the_hour(int(worst[shop]))),
        Surprise(again.of_shop, at_the_shop),
        Surprise(web.shop_surprise[deepest], lambda shop: dense(int(deepest[shop]))),
    ]
    return of_orders, of_shops


def _of_ring(web: Web, pair: int) -> str:
    if web.ring[pair] < 0:
        return "its buyers buy together at several shops"
    ring = web.rings[web.ring[pair]]
    return (
        f"ring {web.ring[pair] + 1} of {len(ring.buyers)} buyers and {len(ring.shops)} shops: {len(ring.pairs)} pairs "
        f"where {ring.expected:.3g} are expected"
    )
