"""What is spent of a day's inspections: a row a day, locked while a batch decides, so that caps hold everywhere."""

import time
from datetime import date, timedelta

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.boosting import Floats
from services.risk.channels import Day, Decision, Policy, draw
from shared.database import driver

# Of the scores of recent days so many are compared with, drawn at random.
_SAMPLE = 10_000
FRESH_SECONDS = 5.0

_LOCK = """
    INSERT INTO inspection_days (day, volume) VALUES ($1, $2)
    ON CONFLICT (day) DO UPDATE SET volume = inspection_days.volume + excluded.volume
    RETURNING volume, spent, explored
"""
_EXPECTED = "SELECT avg(volume)::float8 FROM inspection_days WHERE day >= $1 AND day < $2 AND volume > 0"
_SPEND = """
    UPDATE inspection_days SET spent = spent + $2, explored = explored + $3
    WHERE day = $1 AND spent + $2 <= $4 RETURNING day
"""
_RECENT = """
    SELECT score FROM declarations WHERE model = $1 AND lodged_on > $2 AND lodged_on <= $3 AND score IS NOT NULL
    ORDER BY draw LIMIT $4
"""


class OverCap(Exception):
    """More would be inspected than the day has inspections."""


async def lock(session: AsyncSession, day: date, *, news: int, policy: Policy, key: bytes) -> Day:
    """Count what is lodged on a day, and return it; nobody else decides about the day until the transaction ends."""
    connection = await driver(session)
    row = await connection.fetchrow(_LOCK, day, news)
    assert row is not None, "an upsert returns its row"
    expected = await connection.fetchval(_EXPECTED, day - timedelta(days=policy.history_days), day)
    at = draw(key, day.isoformat(), "day")
    return Day(expected or 0.0, row["volume"] - news, row["spent"], row["explored"], at)


async def spend(session: AsyncSession, day: date, decisions: list[Decision], policy: Policy) -> None:
    """Spend what was decided. Raises OverCap."""
    inspected = sum(one.channel == "inspection" for one in decisions)
    explored = sum(one.explored for one in decisions)
    if inspected:
        arguments = (day, inspected, explored, policy.daily_cap)
        if await (await driver(session)).fetchval(_SPEND, *arguments) is None:
            raise OverCap(f"{inspected} more inspections on {day} are more than {policy.daily_cap}")


class RecentScores:
    """The scores that thresholds come from; a full sample of them is read again every few seconds."""

    def __init__(self) -> None:
        self._kept: dict[tuple[date, str], tuple[float, Floats]] = {}

    async def of(self, session: AsyncSession, day: date, *, model: str, policy: Policy) -> Floats:
        """Return scores that a model gave lately, sorted: a sample, where there are many."""
        known = self._kept.get((day, model))
        if known is not None and known[0] > time.monotonic():
            return known[1]
        since = day - timedelta(days=policy.history_days)
        rows = await (await driver(session)).fetch(_RECENT, model, since, day, _SAMPLE)
        scores = np.sort(np.array([row["score"] for row in rows], dtype=np.float64))
        if len(scores) == _SAMPLE:
            # Only the days under way are asked for again.
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > time.monotonic()}
            self._kept[day, model] = (time.monotonic() + FRESH_SECONDS, scores)
        return scores
