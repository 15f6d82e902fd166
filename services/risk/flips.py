"""Flags that are set for many orders at once: how improbable that is for one operator, and for a whole platform."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.repeats import divergence
from shared.database import driver
from shared.identifiers import derived_id

STREAM = "flags"
_DAYS = 30
# Days that are looked at again in each round: what came shortly before midnight too.
_NEW_DAYS = 2
# So many days of a platform must be known before its own days are compared with each other.
_ENOUGH_DAYS = 7

_FLIPS = """
    SELECT platform_id, account_id, day, flag, flips FROM flag_days WHERE day > $1
    ORDER BY platform_id, day, flag, account_id
"""


class FlagDay(NamedTuple):
    """How many orders of one operator were flagged on one day."""

    platform_id: str
    account_id: UUID
    day: date
    flag: str
    flips: int


class Seen(NamedTuple):
    """One operator's day, or with no account a platform's, and its features."""

    platform_id: str
    account_id: UUID | None
    day: date
    features: Mapping[str, Any]


async def watch(session: AsyncSession, orders: pl.DataFrame, *, on: date, is_kept: bool = False) -> None:
    """Raise what rules find of the newest days; `orders` are those of the last weeks.

    Their features are kept unless those of today are: each day of an operator at last when it is over.
    """
    rows = await (await driver(session)).fetch(_FLIPS, on - timedelta(days=_DAYS))
    counted = orders.group_by("platform_id", "account_id").len().rows()
    sizes = {(platform, UUID(bytes=account)): n for platform, account, n in counted}
    seen = judge([FlagDay(*row) for row in rows], sizes, since=on - timedelta(days=_NEW_DAYS - 1))
    raised, about = [], [_about(one) for one in seen]
    found = await decide(session, STREAM, [one.features for one in seen], about if not is_kept else [])
    for one, kept_as, hits in zip(seen, about, found, strict=True):
        at = datetime(one.day.year, one.day.month, one.day.day, tzinfo=UTC)
        key = f"{one.day}/{one.features['flag']}"
        evidence = [f"flag:{one.features['flag']}", f"since:{one.day}"]
        subject = Subject(one.platform_id, one.account_id, None, None, at, key, evidence, kept_as)
        raised += [Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits]
    await alerts.raise_alerts(session, raised)


def _about(one: Seen) -> UUID:
    """Return what a day is kept under: an operator has others, and other flags."""
    return derived_id("flags", one.platform_id, one.account_id, one.day, one.features["flag"])


def judge(days: Sequence[FlagDay], sizes: Mapping[tuple[str, UUID], int], *, since: date) -> list[Seen]:
    """Return the features of each operator's and platform's days since a day; `sizes` are orders of the last weeks."""
    orders: dict[str, int] = {}
    for (platform, _), n in sizes.items():
        orders[platform] = orders.get(platform, 0) + n
    of_day: dict[tuple[str, str, date], int] = {}
    for one in days:
        of_day[one.platform_id, one.flag, one.day] = of_day.get((one.platform_id, one.flag, one.day), 0) + one.flips
    seen = []
    for one in days:
        own = sizes.get((one.platform_id, one.account_id), 0)
        others = orders.get(one.platform_id, 0) - own
        if one.day >= since and own and others:
            by_others = (of_day[one.platform_id, one.flag, one.day] - one.flips) / others
            chance = max(by_others, _usual(of_day, one.platform_id, one.flag, one.day, others) or 0.0, 1 / others)
            features = _features(one.flag, one.flips, own, chance)
            seen.append(Seen(one.platform_id, one.account_id, one.day, features))
    for (platform, flag, day), flips in of_day.items():
        total = orders.get(platform, 0)
        usual = _usual(of_day, platform, flag, day, total)
        if day >= since and total and usual is not None:
            seen.append(Seen(platform, None, day, _features(flag, flips, total, max(usual, 1 / total))))
    return seen


def _usual(
    of_day: Mapping[tuple[str, str, date], int], platform: str, flag: str, day: date, orders: int
) -> float | None:
    """Return the share of orders that is flagged on a usual day: the median day before; None where few are known."""
    before = sorted(n for (p, f, d), n in of_day.items() if (p, f) == (platform, flag) and d < day)
    if len(before) < _ENOUGH_DAYS or not orders:
        return None
    return before[len(before) // 2] / orders


def _features(flag: str, flips: int, orders: int, chance: float) -> dict[str, Any]:
    share = min(flips / orders, 1.0)
    return {
        "flag": flag,
        "flips": flips,
        "orders": orders,
        "flip_share": share,
        "usual_share": chance,
        "flip_improbability": _tail(share, orders, chance),
    }


def _tail(share: float, orders: int, chance: float) -> float:
    """Return how improbable such a share is, in powers of ten: Chernoff's bound, exp(-n KL(share, chance))."""
    if share <= chance:
        return 0.0
    return orders * float(divergence(np.array(share), np.array(chance))) / math.log(10)
