"""Parcels too light for what is said to be in them, beside what others send of the same category. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
from scipy.special import bdtrc

from services.risk.alerts import Subject
from services.risk.boosting import Floats
from services.risk.peeling import Ints

STREAM = "weights"
WEIGHED: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.Binary,
    "listing_ref": pl.String,
    "order_ref": pl.String,
    "grams": pl.Float64,
    "shipped_at": pl.Datetime("us", "UTC"),
}
# Light is below a third of what all but one in a hundred parcels of the other shops weigh; so many shops are to compare
# with. Goods of one category differ: a third, so that a shop of the lightest of them is not one of empty parcels.
USUAL_SHARE, OF_LIGHTEST = 0.01, 1 / 3
FEWEST_SHOPS = 5
_MOST_EVIDENCE = 10
_LEAST_CHANCE = 1e-300


class Light(NamedTuple):
    """A parcel that is too light for its category: the order, its weight for one piece, and what would not be."""

    order_ref: str
    category: str
    grams: float
    least: float


def judge(
    weighed: pl.DataFrame, categories: Mapping[tuple[str, str], str]
) -> dict[str, list[tuple[Subject, dict[str, Any]]]]:
    """Return of each platform the shops whose parcels can be compared, with features and evidence.

    `weighed` has the columns of WEIGHED and `platform_id`; `categories` those of offers by platform and reference.
    """
    offers = list(zip(weighed["platform_id"], weighed["listing_ref"], strict=True))
    known = weighed.with_columns(pl.Series("category", [categories.get(offer) for offer in offers], pl.String))
    light: dict[tuple[str, bytes], list[Light]] = {}
    compared: dict[tuple[str, bytes], int] = {}
    first: dict[tuple[str, bytes], datetime] = {}
    groups = (
        known.drop_nulls("category").sort("grams", "order_ref").partition_by("platform_id", "category", as_dict=True)
    )
    for (platform, category), part in sorted(groups.items()):
        for row, least in _compared(part):
            shop = (str(platform), row["account_id"])
            compared[shop] = compared.get(shop, 0) + row["parcels"]
            first[shop] = min(first.get(shop, row["first"]), row["first"])
            own = light.setdefault(shop, [])
            own += [
                Light(ref, str(category), grams, least)
                for ref, grams in zip(row["orders"], row["grams"], strict=True)
                if grams < least
            ]
    judged: dict[str, list[tuple[Subject, dict[str, Any]]]] = {}
    for (platform, account), parcels in sorted(compared.items()):
        own = light[platform, account]
        subject = Subject(platform, UUID(bytes=account), None, None, first[platform, account], "", _evidence(own))
        judged.setdefault(platform, []).append((subject, _features(own, parcels)))
    return judged


def improbability(light: int, parcels: int) -> float:
    """Return how improbable so many light ones are at the usual share, in powers of ten: the tail of the binomial."""
    chance = float(bdtrc(light - 1, parcels, USUAL_SHARE)) if light else 1.0
    return -math.log10(max(chance, _LEAST_CHANCE)) + 0.0


def _compared(part: pl.DataFrame) -> Iterator[tuple[dict[str, Any], float]]:
    """Yield each shop of a category, lightest parcel first, with the least that its parcels should weigh.

    Every shop counts alike among the others, however much it sends: whoever sends many empty parcels would else make
    them usual.
    """
    shops = part.group_by("account_id", maintain_order=True).agg(
        pl.len().alias("parcels"),
        pl.col("order_ref").alias("orders"),
        pl.col("grams"),
        pl.col("shipped_at").min().alias("first"),
    )
    if shops.height < FEWEST_SHOPS:
        return
    number = {account: place for place, account in enumerate(shops["account_id"])}
    shop = np.array([number[account] for account in part["account_id"]], np.int64)
    sizes = shops["parcels"].to_numpy()
    least = leasts(part["grams"].to_numpy(), shop, sizes)
    yield from zip(shops.iter_rows(named=True), least.tolist(), strict=True)


def leasts(grams: Floats, shop: Ints, sizes: Ints) -> Floats:
    """Return for each shop what its parcels should weigh at least, by those of all others, each of which counts 1.

    `grams` ascend; `shop` are numbers from 0 of the shops that sent them, `sizes` how many each sent.
    """
    share = 1 / sizes[shop]
    together = np.cumsum(share)
    others = len(sizes) - 1
    # Whoever sent none of the lightest: the others' share is that of all.
    of_all = grams[min(int(np.searchsorted(together, USUAL_SHARE * others)), len(grams) - 1)]
    found = np.full(len(sizes), of_all)
    # All of one shop's may come first, and count 1 together.
    lightest = int(np.searchsorted(together, USUAL_SHARE * others + 1, side="right")) + 1
    for own in np.unique(shop[:lightest]):
        is_other = shop != own
        without = np.cumsum(np.where(is_other, share, 0.0))
        found[own] = grams[min(int(np.searchsorted(without, USUAL_SHARE * others)), len(grams) - 1)]
    return found * OF_LIGHTEST


def _features(light: Sequence[Light], parcels: int) -> dict[str, Any]:
    return {
        "weighed_parcels": parcels,
        "light_parcels": len(light),
        "light_share": len(light) / parcels,
        "light_improbability": improbability(len(light), parcels),
    }


def _evidence(light: Sequence[Light]) -> list[str]:
    """Return the lightest of the parcels, beside what they should weigh."""
    lightest = sorted(light, key=lambda one: (one.grams / one.least, one.order_ref))[:_MOST_EVIDENCE]
    weights = [
        f"weight:{one.grams:.0f} g of {one.category}, at least {one.least:.0f} g expected" for one in lightest[:1]
    ]
    return weights + [f"order:{one.order_ref}" for one in lightest]
