"""Alerts: raised once for a rule, a subject and a window; withdrawn when a document clears them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.rules import Hit
from shared.database import driver
from shared.errors import NotFound
from shared.events.risk import AlertRaised, AlertWithdrawn, Contribution
from shared.identifiers import derived_id
from shared.messaging import publish

_RAISE = """
    INSERT INTO alerts (id, platform_id, account_id, transaction_id, order_ref, rule, rule_version, severity,
        score, reason, contributions, evidence, window_start, subject)
    SELECT i, p, a, t, o, r, v, s, c, e, j::jsonb, array(SELECT jsonb_array_elements_text(l::jsonb)), w, k
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::int[], $8::text[],
        $9::float8[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::uuid[])
        AS x (i, p, a, t, o, r, v, s, c, e, j, l, w, k)
    ON CONFLICT (id) DO UPDATE SET state = 'open', contributions = excluded.contributions,
        evidence = excluded.evidence, subject = excluded.subject WHERE alerts.state = 'withdrawn'
    RETURNING id
"""
_WITHDRAW = """
    UPDATE alerts SET state = 'withdrawn' WHERE id = ANY ($1::uuid[]) AND state = 'open'
    RETURNING id, platform_id, account_id, rule, severity
"""


# The state before is kept in the row that is returned: a dismissed alert was told of once.
_CODES = "SELECT DISTINCT code FROM rules WHERE stream = $1 ORDER BY code"
_JUDGE = """
    UPDATE alerts a SET verdict = $2, judged_by = $3, note = $4, judged_at = $5,
        state = CASE WHEN $2 = 'false_alarm' THEN 'dismissed' WHEN a.state = 'dismissed' THEN 'open' ELSE a.state END
    FROM (SELECT id, state FROM alerts WHERE id = $1 FOR UPDATE) before
    WHERE a.id = before.id
    RETURNING a.id, a.platform_id, a.account_id, a.rule, a.severity, before.state AS before
"""

Verdict = Literal["confirmed", "false_alarm", "unclear"]


class AlertNotFound(NotFound):
    """No such alert."""


class Subject(NamedTuple):
    """What a hit is about: the trade it was seen in, and the window it counts in."""

    platform_id: str
    account_id: UUID | None
    transaction_id: UUID | None
    order_ref: str | None
    at: datetime
    key: str
    evidence: Sequence[str] = ()
    # What the feature log has its row about, where that is neither the transaction nor the account.
    about: UUID | None = None

    @property
    def kept_as(self) -> UUID:
        """Return what the feature log has rows of this subject about."""
        return self.about or self.transaction_id or self.account_id or derived_id("platform", self.platform_id)


class Raised(NamedTuple):
    """A hit with its subject and the id that both give."""

    id: UUID
    subject: Subject
    hit: Hit


def alert_id(rule: str, subject: Subject) -> UUID:
    """Return the alert's id: the same rule, subject and window is the same alert, however often computed."""
    return derived_id("alert", rule, subject.account_id or subject.platform_id, subject.key)


async def codes_of(session: AsyncSession, stream: str) -> list[str]:
    """Return the codes of all rules of a stream, retired ones too: what may have been alerted of there."""
    return [row["code"] for row in await (await driver(session)).fetch(_CODES, stream)]


async def raise_alerts(session: AsyncSession, raised: Sequence[Raised]) -> None:
    """Store alerts that are new or were withdrawn, and publish those; of several hits of one the first counts."""
    by_id: dict[UUID, Raised] = {}
    for one in raised:
        by_id.setdefault(one.id, one)
    if not by_id:
        return
    ordered = sorted(by_id.values(), key=lambda one: one.id)
    columns = zip(*map(_row, ordered), strict=True)
    rows = await (await driver(session)).fetch(_RAISE, *map(list, columns))
    new = [by_id[row["id"]] for row in rows]
    await publish(session, map(_event, new), source="risk")


async def judge(session: AsyncSession, alert: UUID, *, verdict: Verdict, by: str, note: str, at: datetime) -> None:
    """Keep an analyst's verdict on an alert; a false alarm is dismissed for good, and whoever was told is told that.

    A later verdict replaces the one before. Raises AlertNotFound.
    """
    row = await (await driver(session)).fetchrow(_JUDGE, alert, verdict, by, note, at)
    if row is None:
        raise AlertNotFound(f"no alert {alert}")
    if verdict == "false_alarm" and row["before"] == "open":
        await publish(session, [_withdrawn(row, at, "an analyst found it a false alarm")], source="risk")


async def withdraw(session: AsyncSession, ids: Sequence[UUID], *, at: datetime) -> None:
    """Withdraw open alerts that a later document cleared, and publish that."""
    if not ids:
        return
    rows = await (await driver(session)).fetch(_WITHDRAW, sorted(ids))
    cleared = "a later document cleared it"
    await publish(session, [_withdrawn(row, at, cleared) for row in rows], source="risk")


def _withdrawn(row: asyncpg.Record, at: datetime, reason: str) -> AlertWithdrawn:
    return AlertWithdrawn(
        occurred_at=at,
        alert_id=row["id"],
        account_id=row["account_id"],
        platform_id=row["platform_id"],
        rule=row["rule"],
        severity=row["severity"],
        reason=reason,
    )


def contributions(hit: Hit) -> list[Contribution]:
    """Return what each feature of a rule adds to its points, in equal shares."""
    share = hit.rule.points / len(hit.rule.features)
    return [Contribution(feature=f, value=v, points=share) for f, v in hit.values.items()]


def window_start(hit: Hit, at: datetime) -> datetime:
    """Return the start of the window a hit counts in: the day's, or the moment of a single transaction."""
    if hit.rule.scope.endswith("_day"):
        return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return at


def _row(one: Raised) -> tuple[object, ...]:
    subject, hit = one.subject, one.hit
    return (
        one.id,
        subject.platform_id,
        subject.account_id,
        subject.transaction_id,
        subject.order_ref,
        hit.rule.code,
        hit.rule.version,
        hit.rule.severity,
        hit.rule.points,
        hit.rule.reason,
        msgspec.json.encode(contributions(hit)).decode(),
        msgspec.json.encode(subject.evidence).decode(),
        window_start(hit, subject.at),
        subject.kept_as,
    )


def _event(one: Raised) -> AlertRaised:
    subject, hit = one.subject, one.hit
    start = window_start(hit, subject.at)
    return AlertRaised(
        occurred_at=start,
        alert_id=one.id,
        account_id=subject.account_id,
        platform_id=subject.platform_id,
        rule=hit.rule.code,
        rule_version=hit.rule.version,
        severity=hit.rule.severity,
        score=hit.rule.points,
        reason=hit.rule.reason,
        window_start=start,
        contributions=contributions(hit),
        transaction_id=subject.transaction_id,
        order_ref=subject.order_ref,
        evidence=list(subject.evidence),
    )
