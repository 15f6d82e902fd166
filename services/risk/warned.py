"""Answers about warnings and about how good forecasts were, read from this service's tables."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import questions
from services.risk.foresight_tables import Warned
from shared.database import driver
from shared.paging import Cursor

# By tenths of the chance; the sums are put together by whoever said it.
_BINS = """
    SELECT i.forecast_by, least(floor(f.probability * 10), 9)::int AS bin, count(*) AS n,
        count(*) FILTER (WHERE violated) AS violated, sum(f.probability) AS stated,
        sum((f.probability - violated::int) ^ 2) AS brier, sum((i.by_class - violated::int) ^ 2) AS brier_by_class,
        -sum(ln(greatest(CASE WHEN violated THEN f.probability ELSE 1 - f.probability END, 1e-6))) AS log_loss
    FROM forecasts f JOIN forecast_inputs i USING (operator_id, made_on)
    WHERE violated IS NOT NULL GROUP BY i.forecast_by, bin ORDER BY i.forecast_by, bin
"""
_WARNINGS = """
    SELECT count(*) AS warnings, count(*) FILTER (WHERE ended_at IS NULL) AS standing,
        count(violated) AS ended_thirty_days, count(*) FILTER (WHERE violated) AS came_true
    FROM warnings
"""


async def warnings(
    session: AsyncSession, *, operator_id: UUID | None, after: Cursor | None, limit: int
) -> tuple[list[Warned], str | None]:
    """Return a page of warnings, newest first, and the cursor of the next."""
    statement = select(Warned)
    if operator_id is not None:
        statement = statement.where(Warned.operator_id == operator_id)
    return await questions.page(session, statement, (Warned.warned_at, Warned.id), after, limit)


async def track(session: AsyncSession) -> dict[str, Any]:
    """Return how many warnings there were, and the share of those with thirty days behind them that came true."""
    found = dict(await (await driver(session)).fetchrow(_WARNINGS) or {})
    due = found["ended_thirty_days"]
    return {**found, "share": found["came_true"] / due if due else None}


async def accuracy(session: AsyncSession) -> list[dict[str, Any]]:
    """Return what forecasts came to by who made them, with a table of their calibration."""
    by: dict[str, list[dict[str, Any]]] = {}
    for row in await (await driver(session)).fetch(_BINS):
        by.setdefault(row["forecast_by"], []).append(dict(row))
    return [_accuracy(name, bins) for name, bins in by.items()]


def _accuracy(name: str, bins: list[dict[str, Any]]) -> dict[str, Any]:
    n = sum(one["n"] for one in bins)
    means = {of: sum(one[of] for one in bins) / n for of in ("brier", "brier_by_class", "log_loss")}
    table = [
        {
            "from": one["bin"] / 10,
            "to": (one["bin"] + 1) / 10,
            "forecasts": one["n"],
            "expected": one["stated"] / one["n"],
            "observed": one["violated"] / one["n"],
        }
        for one in bins
    ]
    violated = sum(one["violated"] for one in bins)
    return {"forecast_by": name, "forecasts": n, "violated": violated, **means, "calibration": table}
