"""What the orders of the last weeks say of each shop, as rules may name it. Pure."""

from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl

from services.risk.boosting import Floats
from services.risk.brushing import Brushing, look
from services.risk.repeats import repeated
from services.risk.rings import Orders, Ring, numbered, pair_up

# One row an operator's part in an order, of one platform.
SALES: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.Binary,
    "order_ref": pl.String,
    "buyer_ref": pl.String,
    "device_ref": pl.String,
    "address_ref": pl.String,
    "placed_at": pl.Datetime("us", "UTC"),
}
_MOST_EVIDENCE = 20


class Shop(NamedTuple):
    """A shop with its features, its first order in the window, and the orders that speak most."""

    account_id: UUID
    features: dict[str, Any]
    first_order: float
    evidence: list[str]
    ring: int | None


class Members(NamedTuple):
    """A ring by the references of its buyers and the accounts of its shops."""

    buyers: list[str]
    accounts: list[UUID]
    orders: int
    expected: float
    chance_log10: float


class Judged(NamedTuple):
    """Every shop that has orders of known buyers, and the rings among them."""

    shops: list[Shop]
    rings: list[Members]


def judge(sales: pl.DataFrame) -> Judged:
    """Judge the shops of one platform by their orders in a window; SALES says what is in a row."""
    known = sales.drop_nulls(["account_id", "buyer_ref"]).sort("account_id", "placed_at", "order_ref")
    if not known.height:
        return Judged([], [])
    accounts = [UUID(bytes=account) for account in known["account_id"].unique().sort()]
    buyers = known["buyer_ref"].unique().sort()
    orders = _orders(known, "buyer_ref")
    found = look(orders)
    columns = _columns(known, orders, found)
    first = np.searchsorted(orders.shop, np.arange(len(accounts)))
    shops = [
        Shop(
            account,
            {name: values[shop].item() for name, values in columns.items()},
            float(orders.time[first[shop]]),
            _evidence(known, found, shop, first[shop]),
            ring if (ring := int(found.web.ring[found.deepest[shop]])) >= 0 else None,
        )
        for shop, account in enumerate(accounts)
    ]
    return Judged(shops, [_members(ring, accounts, buyers, found) for ring in found.web.rings])


def _orders(known: pl.DataFrame, who: str) -> Orders:
    time = known["placed_at"].dt.epoch("us").to_numpy() / 1e6
    return Orders(numbered(known["account_id"]), numbered(known[who]), time)


def _columns(known: pl.DataFrame, orders: Orders, found: Brushing) -> dict[str, Any]:
    """Return each feature of the catalogue's stream `shops`, a value for each shop."""
    burst, again, web = found.burst, found.again, found.web
    shops = web.pairs.sizes[1]
    rings = [web.rings[ring] if ring >= 0 else None for ring in web.ring[found.deepest].tolist()]
    in_ring = np.bincount(orders.shop, web.ring[web.pairs.of_order] >= 0, shops)
    return {
        "orders": again.shop_orders,
        "buyers": again.shop_buyers,
        "repeat_improbability": _log10(again.of_shop),
        "hour_orders": burst.orders[found.worst],
        "hour_buyers": burst.buyers[found.worst],
        "hour_improbability": _log10(burst.surprise[found.worst]),
        "device_improbability": _log10(_shared(known, "device_ref", shops)),
        "address_improbability": _log10(_shared(known, "address_ref", shops)),
        "ring_buyers": np.array([len(ring.buyers) if ring else 0 for ring in rings]),
        "ring_shops": np.array([len(ring.shops) if ring else 0 for ring in rings]),
        "ring_improbability": np.array([-ring.chance_log10 if ring else 0.0 for ring in rings]),
        "ring_orders": in_ring.astype(np.int64),
        "ring_share": in_ring / np.maximum(again.shop_orders, 1),
    }


def _shared(known: pl.DataFrame, what: str, shops: int) -> Floats:
    """Return how improbable it is that a shop's buyers share so few devices, or addresses."""
    told = known.with_columns(shop=pl.Series(numbered(known["account_id"]))).drop_nulls(what)
    # A buyer's own device is no news: each pair of buyer and device counts once.
    once = told.unique(["shop", "buyer_ref", what], maintain_order=True)
    improbable = np.zeros(shops)
    if once.height:
        pairs = pair_up(Orders(once["shop"].to_numpy(), numbered(once[what]), np.zeros(once.height)))
        found = repeated(pairs).of_shop
        improbable[: len(found)] = found
    return improbable


def _log10(surprise: Floats) -> Floats:
    return np.asarray(surprise / np.log(10))


def _evidence(known: pl.DataFrame, found: Brushing, shop: int, first: int) -> list[str]:
    """Return the orders of a shop that speak most: of its worst hour, then those of buyers that came most often."""
    last = first + int(found.again.shop_orders[shop])
    pairs = found.web.pairs.of_order[first:last]
    strength = np.maximum(found.burst.surprise[first:last], found.again.of_pair[pairs]) + found.web.surprise[pairs]
    most = np.argsort(-strength, kind="stable")[:_MOST_EVIDENCE]
    return [known["order_ref"][int(first + place)] for place in most if strength[place] > 0]


def _members(ring: Ring, accounts: list[UUID], buyers: pl.Series, found: Brushing) -> Members:
    inside = np.zeros(len(found.web.pairs.buyer), np.bool_)
    inside[ring.pairs] = True
    return Members(
        buyers.gather(ring.buyers).to_list(),
        [accounts[shop] for shop in ring.shops],
        int(inside[found.web.pairs.of_order].sum()),
        ring.expected,
        ring.chance_log10,
    )
