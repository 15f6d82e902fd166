"""What became of a rule's alerts: how many a day, how soon analysts judged them, and what they found."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import rule_life
from services.risk.models import Rule, RuleDay
from shared.database import driver

_DAYS = 30
_DAY_TOTALS = (RuleDay.rows, RuleDay.hits, RuleDay.timed_rows, RuleDay.timed_ns)
_ALERTS = """
    SELECT count(*) AS alerts, count(*) FILTER (WHERE state = 'open') AS open,
        count(*) FILTER (WHERE verdict = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE verdict = 'false_alarm') AS false_alarms,
        count(*) FILTER (WHERE state = 'open' AND verdict IS NULL) AS unjudged,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM judged_at - raised_at) / 3600)
            AS hours_to_verdict
    FROM alerts WHERE rule = $1 AND rule_version = $2
"""
_BY_DAY = """
    SELECT (raised_at AT TIME ZONE 'UTC')::date AS day, count(*) AS alerts,
        count(*) FILTER (WHERE verdict = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE verdict = 'false_alarm') AS false_alarms
    FROM alerts WHERE rule = $1 AND rule_version = $2 AND raised_at >= $3 GROUP BY 1 ORDER BY 1
"""
# What nobody alerted of nobody judged: recall among what is known at all.
_KNOWN = """
    SELECT count(*) AS known, count(*) FILTER (WHERE EXISTS (SELECT FROM alerts b
        WHERE b.subject = x.subject AND b.rule = $1 AND b.rule_version = $2 AND b.state <> 'dismissed')) AS found
    FROM (SELECT DISTINCT a.subject FROM alerts a JOIN rules r ON r.code = a.rule AND r.version = a.rule_version
        WHERE a.verdict = 'confirmed' AND r.stream = $3 AND a.raised_at >= $4 AND a.raised_at < $5) x
"""


async def figures(session: AsyncSession, code: str, number: int, *, now: datetime) -> dict[str, Any]:
    """Return what a version of a rule did so far. Raises RuleNotFound.

    Recall is relative: of what analysts confirmed in its stream while it was in force, by whichever rule, the share
    that it alerted of too; null where nothing was confirmed.
    """
    rule = await rule_life.version(session, code, number)
    totals = select(*(func.coalesce(func.sum(column), 0) for column in _DAY_TOTALS))
    of_version = (RuleDay.code == code, RuleDay.version == number)
    rows, hits, timed_rows, timed_ns = map(int, (await session.execute(totals.where(*of_version))).one())
    connection = await driver(session)
    counted = dict(await connection.fetchrow(_ALERTS, code, number) or {})
    typical, slow = counted.pop("hours_to_verdict") or (None, None)
    known = await connection.fetchrow(_KNOWN, code, number, rule.stream, *_in_force(rule, now))
    judged = counted["confirmed"] + counted["false_alarms"]
    return {
        "code": code,
        "version": number,
        "rows": rows,
        "hits": hits,
        "us_per_1000_rows": timed_ns / timed_rows if timed_rows else None,
        **counted,
        "precision": counted["confirmed"] / judged if judged else None,
        "recall": known["found"] / known["known"] if known is not None and known["known"] else None,
        "recall_of": known["known"] if known is not None else 0,
        "median_hours_to_verdict": typical,
        "p90_hours_to_verdict": slow,
        "days": [dict(row) for row in await connection.fetch(_BY_DAY, code, number, now - timedelta(days=_DAYS))],
    }


def _in_force(rule: Rule, now: datetime) -> tuple[datetime, datetime]:
    """Return between which moments a version raises alerts."""
    since = _start(rule.valid_from) if rule.valid_from is not None else now
    return since, min(now, _start(rule.valid_to)) if rule.valid_to is not None else now


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
