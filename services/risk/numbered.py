"""Gaps in the numbers that platforms give what they send: alerted when they stay open, withdrawn when filled."""

import operator
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts, numbering, statements
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.numbering import Gap, Run
from services.risk.rule_values import RuleValues
from shared.database import driver, kept
from shared.events.numbers import NumbersReceived

STREAM = "numbers"

_LOAD = """
    SELECT platform_id, service, runs, forgotten_to FROM sent_numbers
    WHERE (platform_id, service) IN (SELECT * FROM unnest($1::text[], $2::text[]))
    ORDER BY platform_id, service FOR UPDATE
"""
_STORE = """
    INSERT INTO sent_numbers (platform_id, service, runs, forgotten_to) VALUES ($1, $2, $3, $4)
    ON CONFLICT (platform_id, service) DO UPDATE SET runs = excluded.runs, forgotten_to = excluded.forgotten_to
"""
_ALL = "SELECT platform_id, service, runs, forgotten_to FROM sent_numbers ORDER BY platform_id, service"
_RAISED = """
    SELECT id, platform_id, evidence, state = 'open' AS open FROM alerts
    WHERE account_id IS NULL AND rule IN (SELECT code FROM rules WHERE stream = $1) AND state IN ('open', 'dismissed')
"""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Run]).decode


class Missing(NamedTuple):
    """A gap of a platform's numbers at one service."""

    platform_id: str
    service: str
    gap: Gap

    @property
    def key(self) -> str:
        """Return its name among the platform's gaps: filled in part it is another one."""
        return f"numbers:{self.service} {self.gap.first}-{self.gap.last}"


async def record(session: AsyncSession, events: Sequence[NumbersReceived]) -> None:
    """Keep which numbers came."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    came: dict[tuple[str, str], list[Run]] = {}
    for event in events:
        seen_ms = int(event.occurred_at.timestamp() * 1_000)
        runs = came.setdefault((event.platform_id, event.type.partition(".")[0]), [])
        runs += [Run(first, last, seen_ms) for first, last in zip(event.first, event.last, strict=True)]
    (most,) = values.named("sequence.most_gaps", on=max(event.occurred_at for event in events).date())
    connection = await driver(session)
    rows = await connection.fetch(_LOAD, *map(list, zip(*came, strict=True)))
    before = {(row["platform_id"], row["service"]): (_decode(row["runs"]), row["forgotten_to"]) for row in rows}
    for (platform_id, service), runs in sorted(came.items()):
        known, forgotten = before.get((platform_id, service), ([], 0))
        bounded, more = numbering.bounded(numbering.merged([*known, *runs]), int(most))
        await connection.execute(_STORE, platform_id, service, _encode(bounded), max(forgotten, more))


async def look(session: AsyncSession, *, at: datetime) -> None:
    """Raise what rules find of gaps that stand, and withdraw what was filled since."""
    connection = await driver(session)
    rows = await connection.fetch(_ALL)
    if not rows:
        return
    standing = {
        (one.platform_id, one.key): one
        for row in rows
        for one in (Missing(row["platform_id"], row["service"], gap) for gap in numbering.gaps(_decode(row["runs"])))
    }
    raised = await connection.fetch(_RAISED, STREAM)
    told = {(row["platform_id"], row["evidence"][0]): row for row in raised}
    forgotten = {(row["platform_id"], row["service"]): row["forgotten_to"] for row in rows}
    over = [
        row["id"]
        for (platform_id, key), row in told.items()
        if (platform_id, key) not in standing
        and row["open"]
        and _first(key) > forgotten.get((platform_id, _service(key)), 0)
    ]
    await alerts.withdraw(session, over, at=at)
    await _raise(session, [one for name, one in standing.items() if name not in told], at)


async def _raise(session: AsyncSession, waiting: Sequence[Missing], at: datetime) -> None:
    if not waiting:
        return
    values = kept(session, RuleValues)
    await values.refresh(session)
    (patience,) = values.named("sequence.waiting", on=at.date())
    subjects = list(map(_subject, waiting))
    features = [
        {
            "missing": one.gap.last - one.gap.first + 1,
            "waited_h": (at - subject.at).total_seconds() / 3_600,
            "patience_h": patience,
        }
        for one, subject in zip(waiting, subjects, strict=True)
    ]
    found = await decide(session, STREAM, features)
    raised = [
        Raised(alerts.alert_id(hit.rule.code, subject), subject, hit)
        for subject, hits in zip(subjects, found, strict=True)
        for hit in hits
    ]
    await alerts.raise_alerts(session, sorted(raised, key=operator.attrgetter("id")))


def _subject(one: Missing) -> Subject:
    since = datetime.fromtimestamp(one.gap.since_ms / 1_000, UTC)
    missing = one.gap.last - one.gap.first + 1
    evidence = [one.key, f"missing:{missing}", f"since:{statements.text_of(since)}"]
    return Subject(one.platform_id, None, None, None, since, one.key, evidence)


def _service(key: str) -> str:
    return key.removeprefix("numbers:").partition(" ")[0]


def _first(key: str) -> int:
    return int(key.partition(" ")[2].partition("-")[0])
