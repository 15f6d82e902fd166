"""What is known of each operator's past when a forecast is made, as features of `foresight.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import foresight
from services.risk.boosting import Floats
from services.risk.claims import GROUNDLESS
from services.risk.foresight import FEATURES
from services.risk.opinions import LEDGER as OPINIONS
from services.risk.sales import LEDGER as SALES
from shared.database import driver

_FEW_STARS = 2
_AT = {name: place for place, name in enumerate(FEATURES)}
_ALERTS = """
    SELECT operator_id, count(*) FILTER (WHERE severe AND age <= 7) AS severe_7d,
        count(*) FILTER (WHERE severe AND age <= 30) AS severe_30d, count(*) FILTER (WHERE severe) AS severe_180d,
        min(age) FILTER (WHERE severe) AS severe_age, count(*) FILTER (WHERE open) AS alerts_180d,
        count(*) FILTER (WHERE open AND age <= 30) AS alerts_30d,
        count(*) FILTER (WHERE open AND age > 30 AND age <= 60) AS alerts_before,
        count(*) FILTER (WHERE open AND confirmed) AS confirmed_180d,
        count(*) FILTER (WHERE dismissed) AS dismissed_180d,
        count(*) FILTER (WHERE new AND stream IN ('transactions', 'parcels', 'activity', 'flags')) AS trade_30d,
        count(*) FILTER (WHERE new AND stream = 'shops') AS shops_30d,
        count(*) FILTER (WHERE new AND stream IN ('reviews', 'reputations')) AS reviews_30d,
        count(*) FILTER (WHERE new AND stream = 'operators') AS registration_30d,
        count(*) FILTER (WHERE new AND stream = 'claims') AS claims_30d,
        count(*) FILTER (WHERE new AND expression LIKE 'match = %') AS mismatches_30d
    FROM (
        SELECT coalesce(o.operator_id, a.account_id) AS operator_id, a.state = 'open' AS open,
            a.state = 'open' AND a.severity IN ('high', 'critical') AS severe, a.state = 'dismissed' AS dismissed,
            coalesce(a.verdict = 'confirmed', false) AS confirmed, r.stream, r.expression,
            extract(epoch FROM $1::timestamptz - a.window_start) / 86400 AS age,
            a.state = 'open' AND a.window_start > $1::timestamptz - interval '30 days' AS new
        FROM alerts a JOIN rules r ON r.code = a.rule AND r.version = a.rule_version
        LEFT JOIN operators o ON o.account_id = a.account_id
        WHERE a.account_id IS NOT NULL AND a.window_start <= $1
            AND a.window_start > $1::timestamptz - interval '180 days'
    ) a GROUP BY operator_id
"""
_COUNTED = (
    *("severe_7d", "severe_30d", "severe_180d", "alerts_180d", "confirmed_180d", "dismissed_180d", "trade_30d"),
    *("shops_30d", "reviews_30d", "registration_30d", "claims_30d", "mismatches_30d"),
)
_COMPLAINTS = """
    SELECT account_id, count(*) AS n FROM grievances
    WHERE filed_at > $1::timestamptz - interval '30 days' AND filed_at <= $1
        AND NOT (coalesce(outcome, '') = ANY ($2::text[]))
    GROUP BY account_id
"""
_RETURNS = """
    SELECT account_id, sum(flips)::bigint AS n FROM flag_days WHERE day > $1::date - 30 AND day <= $1::date
    GROUP BY account_id
"""
_OWNERS = "SELECT account_id, operator_id FROM operators"


class Weeks(NamedTuple):
    """Orders and reviews of the last thirty days, of every platform."""

    bought: pl.DataFrame
    reviewed: pl.DataFrame


NO_WEEKS = Weeks(pl.DataFrame(schema=SALES.columns), pl.DataFrame(schema=OPINIONS.columns))


async def look(
    session: AsyncSession, points: Mapping[UUID, float], chances: Sequence[float], weeks: Weeks, *, at: datetime
) -> Floats:
    """Return a row of features for each operator of `points`; `chances` are those of their classes."""
    connection = await driver(session)
    place = {operator: row for row, operator in enumerate(points)}
    found = np.zeros((len(place), len(FEATURES)))
    found[:, _AT["class_log_odds"]] = foresight.log_odds(chances)
    found[:, _AT["points"]] = np.log1p(list(points.values()))
    for row in await connection.fetch(_ALERTS, at):
        if (own := place.get(row["operator_id"])) is not None:
            _alerts(found[own], row)
    accounts = {row["account_id"]: row["operator_id"] for row in await connection.fetch(_OWNERS)}
    complaints = await connection.fetch(_COMPLAINTS, at, list(GROUNDLESS))
    returns = await connection.fetch(_RETURNS, at.date())
    sums = _sums(place, accounts, [(row["account_id"], row["n"]) for row in complaints])
    returned = _sums(place, accounts, [(row["account_id"], row["n"]) for row in returns])
    found[:, _AT["complaints_30d"]] = np.log1p(sums)
    found[:, _AT["returns_30d"]] = np.log1p(returned)
    found[:, _AT["accounts"]] = np.log1p(_sums(place, accounts, [(account, 1) for account in accounts]))
    _trade(found, place, accounts, weeks, at)
    return found


def _alerts(found: Floats, row: Any) -> None:  # asyncpg's record
    for name in _COUNTED:
        found[_AT[name]] = np.log1p(row[name])
    if row["severe_age"] is not None:
        found[_AT["severe_freshness"]] = np.exp(-float(row["severe_age"]) / 30)
    found[_AT["alerts_trend"]] = np.log((row["alerts_30d"] + 1) / (row["alerts_before"] + 1))


def _trade(found: Floats, place: Mapping[UUID, int], accounts: Mapping[UUID, UUID], weeks: Weeks, at: datetime) -> None:
    week = pl.col("placed_at") > at - pl.duration(days=7)
    few = pl.col("rating") <= _FEW_STARS
    orders = weeks.bought.group_by("account_id").agg(
        pl.col("order_ref").n_unique().alias("all"), pl.col("order_ref").filter(week).n_unique().alias("new")
    )
    reviews = weeks.reviewed.group_by("account_id").agg(
        pl.col("review_id").n_unique().alias("all"), pl.col("review_id").filter(few).n_unique().alias("low")
    )
    (all_orders, new), (all_reviews, low) = (
        [
            _sums(place, accounts, [(UUID(bytes=account), n) for account, n in counted.select("account_id", of).rows()])
            for of in counted.columns[1:]
        ]
        for counted in (orders.drop_nulls("account_id"), reviews.drop_nulls("account_id"))
    )
    found[:, _AT["orders_30d"]] = np.log1p(all_orders)
    found[:, _AT["orders_trend"]] = np.log((new * 30 / 7 + 1) / (all_orders + 1))
    found[:, _AT["low_ratings_30d"]] = low / np.maximum(all_reviews, 1)


def _sums(place: Mapping[UUID, int], accounts: Mapping[UUID, UUID], counted: Sequence[tuple[UUID, float]]) -> Floats:
    """Return what the accounts of each operator add up to."""
    found = np.zeros(len(place))
    for account, n in counted:
        own = place.get(accounts.get(account, account))
        if own is not None:
            found[own] += n
    return found
