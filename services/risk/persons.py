"""How persons are treated: contacts without consent by sender and month, and leaks that somebody was told of late."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from shared.database import driver
from shared.events.identity import BreachOverdue, ConsentViolated, ConsentViolationCleared
from shared.identifiers import derived_id

CONTACTS, LEAKS = "contacts", "leaks"
_MOST_EVIDENCE = 20

Contact: TypeAlias = ConsentViolated | ConsentViolationCleared

# A consent that was heard of later clears a violation, and may have been heard of before it.
_KEEP = """
    INSERT INTO contact_violations (violation_id, platform_id, account_id, purpose, person_ref, sent_at, cleared)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::bool[])
    ON CONFLICT (violation_id) DO UPDATE SET cleared = contact_violations.cleared OR excluded.cleared,
        person_ref = coalesce(excluded.person_ref, contact_violations.person_ref),
        sent_at = coalesce(excluded.sent_at, contact_violations.sent_at)
    RETURNING platform_id, account_id, date_trunc('month', sent_at, 'UTC') AS month
"""
_COUNT = """
    SELECT x.platform_id, x.account_id, x.month, count(v.violation_id) AS contacts,
        count(DISTINCT v.person_ref) AS persons,
        coalesce((array_agg(v.violation_id ORDER BY v.sent_at, v.violation_id)
            FILTER (WHERE v.violation_id IS NOT NULL))[:$4], '{}') AS named
    FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS x (platform_id, account_id, month)
    LEFT JOIN contact_violations v ON v.platform_id = x.platform_id AND v.account_id IS NOT DISTINCT FROM x.account_id
        AND v.sent_at >= x.month AND v.sent_at < x.month + interval '1 month' AND NOT v.cleared
    GROUP BY x.platform_id, x.account_id, x.month
"""


class Sender(NamedTuple):
    """Who sent in a month: an account, or nobody but the platform."""

    platform_id: str
    account_id: UUID | None
    month: datetime


async def record_contacts(session: AsyncSession, events: Sequence[Contact]) -> None:
    """Keep contacts without consent; raise what the rules find in a sender's month, and withdraw what they do not."""
    kept: dict[UUID, tuple[object, ...]] = {}
    for event in events:
        known = kept.get(event.violation_id)
        kept[event.violation_id] = _row(event, known)
    connection = await driver(session)
    rows = await connection.fetch(_KEEP, *map(list, zip(*(kept[key] for key in sorted(kept)), strict=True)))
    touched = {Sender(*row.values()) for row in rows if row["month"] is not None}
    if not touched:
        return
    senders = sorted(touched, key=lambda one: (one.platform_id, str(one.account_id), one.month))
    counted = await connection.fetch(_COUNT, *map(list, zip(*senders, strict=True)), _MOST_EVIDENCE)
    subjects = [_subject(Sender(*list(row.values())[:3]), row["named"]) for row in counted]
    features = [{"contacts": row["contacts"], "persons": row["persons"]} for row in counted]
    await _decided(session, CONTACTS, subjects, features)


async def record_leaks(session: AsyncSession, events: Sequence[BreachOverdue]) -> None:
    """Raise what the rules find in leaks that an authority or the persons were not told of in time."""
    # A leak of this installation is nobody's that could be alerted of.
    of_platforms = [event for event in events if event.platform_id]
    subjects = [_late(event) for event in of_platforms]
    await _decided(session, LEAKS, subjects, [{"late_to": event.what} for event in of_platforms])


async def _decided(
    session: AsyncSession, stream: str, subjects: Sequence[Subject], features: Sequence[dict[str, object]]
) -> None:
    if not subjects:
        return
    found = await decide(session, stream, features, [subject.kept_as for subject in subjects])
    raised, over = [], []
    codes = await alerts.codes_of(session, stream)
    for subject, hits in zip(subjects, found, strict=True):
        raised += [Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits]
        holds = {hit.rule.code for hit in hits}
        over += [alerts.alert_id(code, subject) for code in codes if code not in holds]
    await alerts.withdraw(session, over, at=max(subject.at for subject in subjects))
    await alerts.raise_alerts(session, raised)


def _row(event: Contact, known: tuple[object, ...] | None) -> tuple[object, ...]:
    """Return what is kept of a violation: what clears it does not say whom, or when, it was."""
    cleared = isinstance(event, ConsentViolationCleared) or (known is not None and bool(known[-1]))
    whom: tuple[object, object] = (None, None)
    if isinstance(event, ConsentViolated):
        whom = (event.person_ref, event.sent_at)
    elif known is not None:
        whom = (known[4], known[5])
    return (event.violation_id, event.platform_id, event.account_id, event.purpose, *whom, cleared)


def _subject(sender: Sender, named: Sequence[UUID]) -> Subject:
    month = sender.month.astimezone(UTC)
    evidence = [f"month:{month:%Y-%m}", *(f"violation:{one}" for one in named)]
    about = derived_id("contacts", sender.platform_id, sender.account_id, f"{month:%Y-%m}")
    return Subject(sender.platform_id, sender.account_id, None, None, month, f"{month:%Y-%m}", evidence, about)


def _late(event: BreachOverdue) -> Subject:
    about = derived_id("leaks", event.breach_id, event.what, event.jurisdiction)
    evidence = [f"breach:{event.breach_id}", f"late_to:{event.what}", f"jurisdiction:{event.jurisdiction}"]
    return Subject(event.platform_id, None, None, None, event.occurred_at, str(about), evidence, about)
