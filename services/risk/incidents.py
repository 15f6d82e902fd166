"""Security incidents: kept as last reported, and seen together with those of their kind found about the same time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.rule_values import RuleValues
from shared.clock import utc_now
from shared.database import driver, kept
from shared.events.platform import SecurityIncidentReported
from shared.identifiers import incident_id

_STORE = """
    INSERT INTO incidents (id, platform_id, incident_ref, kind, severity, affected, found_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::timestamptz[])
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, severity = excluded.severity, affected = excluded.affected,
        found_at = excluded.found_at
"""
# Those reported now and all they may have made part of a wave.
_AROUND = """
    SELECT DISTINCT i.id, i.platform_id, i.kind, i.severity, i.affected, i.found_at
    FROM incidents i JOIN unnest($1::text[], $2::timestamptz[]) AS x (kind, found_at)
        ON i.kind = x.kind AND i.found_at BETWEEN x.found_at - $3::interval AND x.found_at + $3::interval
    ORDER BY i.id
"""
_RELATED = """
    SELECT x.id, array_agg(i.id ORDER BY i.found_at, i.id) AS ids, count(DISTINCT i.platform_id) AS platforms,
        sum(i.affected)::bigint AS affected
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS x (id, kind, found_at)
    JOIN incidents i ON i.kind = x.kind
        AND i.found_at BETWEEN x.found_at - $4::interval AND x.found_at + $4::interval
    GROUP BY x.id
"""
_OPEN = """
    SELECT id FROM alerts WHERE rule IN (SELECT code FROM rules WHERE stream = 'incidents') AND state = 'open'
        AND evidence[1] = ANY ($1::text[])
"""
# Waves of incidents are small; one is named by so many of them.
_MOST_NAMED = 50


async def record(session: AsyncSession, reported: Sequence[tuple[str, SecurityIncidentReported]]) -> None:
    """Keep incidents as last stated, and judge anew all those that they may belong together with."""
    newest = {incident_id(platform, event.incident_ref): (platform, event) for platform, event in reported}
    rows = [
        (one, platform, event.incident_ref, event.kind, event.severity, event.affected, event.found_at)
        for one, (platform, event) in sorted(newest.items())
    ]
    connection = await driver(session)
    await connection.execute(_STORE, *map(list, zip(*rows, strict=True)))
    span = await _together(session)
    around = await connection.fetch(_AROUND, [row[3] for row in rows], [row[6] for row in rows], span)
    ids, kinds, moments = ([row[name] for row in around] for name in ("id", "kind", "found_at"))
    related = {row["id"]: row for row in await connection.fetch(_RELATED, ids, kinds, moments, span)}
    features = [_features(row, related[row["id"]]) for row in around]
    raised: list[Raised] = []
    for row, hits in zip(around, await decide(session, "incidents", features, ids), strict=True):
        subject = _subject(row["platform_id"], row["id"], row["found_at"], related[row["id"]]["ids"])
        raised += [Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits]
    await alerts.raise_alerts(session, raised)
    holds = {one.id for one in raised}
    standing = await connection.fetch(_OPEN, [_evidence(one) for one in ids])
    over = [row["id"] for row in standing if row["id"] not in holds]
    await alerts.withdraw(session, over, at=utc_now())


async def _together(session: AsyncSession) -> timedelta:
    values = kept(session, RuleValues)
    await values.refresh(session)
    (hours,) = values.named("incidents.together_h", on=utc_now().date())
    return timedelta(hours=hours)


def _features(row: Any, related: Any) -> dict[str, Any]:  # asyncpg's records
    return {
        "kind": row["kind"],
        "severity": row["severity"],
        "affected": row["affected"],
        "related": len(related["ids"]),
        "related_platforms": related["platforms"],
        "related_affected": related["affected"],
    }


def _subject(platform_id: str, identifier: UUID, found_at: datetime, related: Sequence[UUID]) -> Subject:
    others = [_evidence(one) for one in related[:_MOST_NAMED] if one != identifier]
    evidence = [_evidence(identifier), *others]
    return Subject(platform_id, None, None, None, found_at, str(identifier), evidence, identifier)


def _evidence(identifier: UUID) -> str:
    return f"incident:{identifier}"
