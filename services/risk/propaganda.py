"""False propaganda: what shops claim, beside how often they are complained of, over the weeks of the patrol."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import polars as pl
from scipy.special import bdtrc
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.alerts import Subject
from services.risk.claims import GROUNDLESS
from shared.database import driver

STREAM = "claims"
_MOST_EVIDENCE = 10
# The smallest chance that is told from none.
_LEAST_CHANCE = 1e-300
# Powers of ten from which a shop's complaints are not part of what is usual.
_BEYOND = 3.0

_CLAIMS = """
    SELECT platform_id, account_id, code, listing_ref, found_at FROM claims
    WHERE ended_at IS NULL OR ended_at > $1 ORDER BY found_at, listing_ref, code
"""
_COMPLAINTS = """
    SELECT platform_id, account_id, complaint_id, filed_at FROM grievances
    WHERE filed_at > $1 AND NOT (coalesce(outcome, '') = ANY ($2::text[])) ORDER BY filed_at, complaint_id
"""
_FORGET = ("DELETE FROM claims WHERE ended_at < $1", "DELETE FROM grievances WHERE filed_at < $1")

Shop = tuple[str, UUID]
Judged = tuple[Subject, dict[str, Any]]


class Claimed(NamedTuple):
    """A claim that stood in the window, since when."""

    code: str
    listing_ref: str
    found_at: datetime


class Complained(NamedTuple):
    """A complaint that was filed in the window and is not found groundless."""

    complaint_id: UUID
    filed_at: datetime


class Usual:
    """The shops of a platform that what is usual is taken from, with their complaints and orders."""

    def __init__(self, shops: Mapping[Shop, tuple[int, int]]) -> None:
        self.shops = shops
        self._complaints = sum(complaints for complaints, _ in shops.values())
        self._orders = sum(orders for _, orders in shops.values())

    def without(self, shop: Shop) -> float | None:
        """Return the share of the others' orders that is complained of; None where they have none."""
        complaints, orders = self.shops.get(shop, (0, 0))
        others = self._orders - orders
        return min(max(self._complaints - complaints, 1) / others, 1.0) if others > 0 else None

    def is_beyond(self, shop: Shop) -> bool:
        """Tell whether a shop's complaints are improbable at the rate of the others."""
        complaints, orders = self.shops[shop]
        rate = self.without(shop)
        return rate is not None and improbability(complaints, orders, rate) >= _BEYOND


async def look(session: AsyncSession, orders: pl.DataFrame, *, since: datetime) -> dict[str, list[Judged]]:
    """Return of each platform the shops that claim or are complained of; `orders` are those of the window."""
    connection = await driver(session)
    claims: dict[Shop, list[Claimed]] = {}
    for platform, account, *claim in await connection.fetch(_CLAIMS, since):
        claims.setdefault((platform, account), []).append(Claimed(*claim))
    complaints: dict[Shop, list[Complained]] = {}
    for platform, account, *complaint in await connection.fetch(_COMPLAINTS, since, list(GROUNDLESS)):
        complaints.setdefault((platform, account), []).append(Complained(*complaint))
    sizes = {
        (platform, UUID(bytes=account)): count
        for platform, account, count in orders.group_by("platform_id", "account_id").len().rows()
    }
    return judge(claims, complaints, sizes, since=since)


def judge(
    claims: Mapping[Shop, Sequence[Claimed]],
    complaints: Mapping[Shop, Sequence[Complained]],
    orders: Mapping[Shop, int],
    *,
    since: datetime,
) -> dict[str, list[Judged]]:
    """Return of each platform its shops with features and evidence, in the order of their accounts."""
    usual_rates = usual({shop: len(own) for shop, own in complaints.items()}, orders)
    judged: dict[str, list[Judged]] = {}
    for shop in sorted(claims.keys() | complaints.keys()):
        platform, account = shop
        own, filed = claims.get(shop, ()), complaints.get(shop, ())
        features = _features(own, len(filed), orders.get(shop, 0), usual_rates[platform].without(shop))
        # The first claim, whichever others are known by then: what credit makes of an alert depends on its time.
        at = min((one.found_at for one in own), default=since)
        subject = Subject(platform, account, None, None, at, "", _evidence(own, filed, features))
        judged.setdefault(platform, []).append((subject, features))
    return judged


def usual(complaints: Mapping[Shop, int], orders: Mapping[Shop, int]) -> dict[str, Usual]:
    """Return of each platform its ordinary shops: those whose complaints are not improbable at the rate of the others.

    Several shops far out would else pass for usual together (masking: Barnett and Lewis, Outliers in Statistical Data,
    1994, 4.1). Left out is one round after the other, until nobody else is.
    """
    platforms: dict[str, dict[Shop, tuple[int, int]]] = {}
    for shop in complaints.keys() | orders.keys():
        platforms.setdefault(shop[0], {})[shop] = complaints.get(shop, 0), orders.get(shop, 0)
    found = {}
    for platform, shops in platforms.items():
        ordinary = Usual(shops)
        while kept := {shop: shops[shop] for shop in ordinary.shops if not ordinary.is_beyond(shop)}:
            if len(kept) == len(ordinary.shops):
                break
            ordinary = Usual(kept)
        found[platform] = ordinary
    return found


async def forget_before(session: AsyncSession, moment: datetime) -> None:
    """Delete claims that ended, and complaints that were filed, before a moment."""
    for statement in _FORGET:
        await (await driver(session)).execute(statement, moment)


def improbability(complaints: int, orders: int, usual: float) -> float:
    """Return how improbable so many complaints are at the usual rate, in powers of ten: the tail of the binomial."""
    if not complaints:
        return 0.0
    # An order may be complained of twice, or have been placed before the window.
    chance = float(bdtrc(complaints - 1, max(orders, complaints), min(usual, 1.0)))
    return -math.log10(max(chance, _LEAST_CHANCE)) + 0.0


def _features(claims: Sequence[Claimed], complaints: int, orders: int, usual: float | None) -> dict[str, Any]:
    return {
        "claims": len({(one.code, one.listing_ref) for one in claims}),
        "claim_listings": len({one.listing_ref for one in claims}),
        "cure_claims": len({one.listing_ref for one in claims if one.code == "medical_cure"}),
        "orders": orders,
        "complaints": complaints,
        "complaint_rate": complaints / max(orders, complaints) if orders or complaints else None,
        "usual_rate": usual,
        "complaint_improbability": improbability(complaints, orders, usual) if usual is not None else None,
    }


def _evidence(claims: Sequence[Claimed], complaints: Sequence[Complained], features: Mapping[str, Any]) -> list[str]:
    """Return what is claimed and where, how many complaints there are for how many orders, and some of them."""
    named = [f"claim:{code}" for code in sorted({one.code for one in claims})]
    named += [f"listing:{ref}" for ref in list(dict.fromkeys(one.listing_ref for one in claims))[:_MOST_EVIDENCE]]
    named.append(f"complaints:{features['complaints']} of {features['orders']} orders")
    if features["usual_rate"] is not None:
        named.append(f"usual_rate:{features['usual_rate']:.2%}")
    return named + [f"complaint:{one.complaint_id}" for one in complaints[-_MOST_EVIDENCE:]]
