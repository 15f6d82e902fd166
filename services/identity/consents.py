"""The ledger of consent, and messages held against it, in whatever order both come."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.consent import EVERY_CHANNEL, Said, against, normal
from services.identity.consent_tables import Consent, SentMessage
from services.identity.rule_values import RuleValues
from shared.database import kept
from shared.events.base import Event
from shared.events.identity import ConsentViolated, ConsentViolationCleared
from shared.events.platform import ConsentRecorded, MessageSent
from shared.identifiers import account_id, derived_id
from shared.paging import Cursor, paged
from shared.received import Received

# What any purpose needs that no rule of its own speaks of.
_GENERAL = "consent.required"


class Matter(NamedTuple):
    """What somebody may have agreed to."""

    platform_id: str
    person_ref: str
    purpose: str


async def record(session: AsyncSession, received: Sequence[Received]) -> list[Event]:
    """Keep consents and messages; return violations that became known, and those that turn out to be none."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    moments: dict[Matter, datetime] = {}
    for one in sorted(received, key=lambda one: one.id):
        matter = Matter(one.platform_id, one.event.person_ref, normal(one.event.purpose))
        if isinstance(one.event, ConsentRecorded):
            await _keep_consent(session, matter, one)
        elif not await _keep_message(session, matter, one, values):
            continue
        moments[matter] = max(one.time, moments.get(matter, one.time))
    if not moments:
        return []
    events: list[Event] = []
    said = await _said(session, list(moments))
    for message in await _messages(session, list(moments)):
        matter = Matter(message.platform_id, message.person_ref, message.purpose)
        events += _judge(message, said.get(matter, ()), at=moments[matter])
    await session.flush()
    return events


async def consents(session: AsyncSession, platform_id: str, person_ref: str) -> list[Consent]:
    """Return what a person of a platform said, in the order of time."""
    found = select(Consent).where(Consent.platform_id == platform_id, Consent.person_ref == person_ref)
    ordered = found.order_by(Consent.stated_at, Consent.purpose, Consent.channel)
    return list((await session.execute(ordered)).scalars())


async def violations(
    session: AsyncSession, *, after: Cursor | None, limit: int
) -> tuple[list[SentMessage], str | None]:
    """Return a page of messages without consent, the newest first, and the cursor of the next."""
    found = select(SentMessage).where(SentMessage.reason.is_not(None))
    if after is not None:
        found = found.where(tuple_(SentMessage.sent_at, SentMessage.id) < (after.at, after.id))
    ordered = found.order_by(SentMessage.sent_at.desc(), SentMessage.id.desc()).limit(limit + 1)
    rows = (await session.execute(ordered)).scalars().all()
    return paged(rows, limit, lambda row: Cursor(row.sent_at, row.id))


async def _keep_consent(session: AsyncSession, matter: Matter, one: Received) -> None:
    event: ConsentRecorded = one.event
    channel = normal(event.channel) if event.channel is not None else EVERY_CHANNEL
    statement = insert(Consent).values(
        **matter._asdict(),
        channel=channel,
        stated_at=event.granted_at or one.time,
        granted=event.granted,
        event_id=one.id,
    )
    # Of two of one moment a withdrawal stays.
    keys = [Consent.platform_id, Consent.person_ref, Consent.purpose, Consent.channel, Consent.stated_at]
    withdrawn = {"granted": Consent.granted & statement.excluded.granted}
    await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=withdrawn))


async def _keep_message(session: AsyncSession, matter: Matter, one: Received, values: RuleValues) -> bool:
    """Keep a message that needs consent, and tell whether it does."""
    event: MessageSent = one.event
    sent_at = event.sent_at or one.time
    rule = f"{_GENERAL}.{matter.purpose}" if f"{_GENERAL}.{matter.purpose}" in values.on(sent_at.date()) else _GENERAL
    if not values.asks(rule, on=sent_at.date(), jurisdiction="*"):
        return False
    account = account_id(one.platform_id, event.operator_ref) if event.operator_ref is not None else None
    statement = insert(SentMessage).values(
        id=derived_id("message", one.platform_id, one.id),
        **matter._asdict(),
        channel=normal(event.channel),
        account_id=account,
        sent_at=sent_at,
        rule=rule,
    )
    await session.execute(statement.on_conflict_do_nothing())
    return True


async def _said(session: AsyncSession, matters: Sequence[Matter]) -> Mapping[Matter, Sequence[Said]]:
    found = select(Consent).where(tuple_(Consent.platform_id, Consent.person_ref, Consent.purpose).in_(matters))
    said: dict[Matter, list[Said]] = defaultdict(list)
    for row in (await session.execute(found.execution_options(populate_existing=True))).scalars():
        matter = Matter(row.platform_id, row.person_ref, row.purpose)
        said[matter].append(Said(row.channel, row.stated_at, row.granted))
    return said


async def _messages(session: AsyncSession, matters: Sequence[Matter]) -> Sequence[SentMessage]:
    keys = tuple_(SentMessage.platform_id, SentMessage.person_ref, SentMessage.purpose)
    found = select(SentMessage).where(keys.in_(matters)).order_by(SentMessage.sent_at, SentMessage.id)
    return (await session.execute(found.with_for_update())).scalars().all()


def _judge(message: SentMessage, said: Sequence[Said], *, at: datetime) -> list[Event]:
    """Judge a message anew, and return what that changes."""
    reason = against(said, channel=message.channel, at=message.sent_at)
    before, message.reason = message.reason, reason
    if reason == before:
        return []
    about: dict[str, Any] = {
        "occurred_at": at,
        "violation_id": message.id,
        "platform_id": message.platform_id,
        "purpose": message.purpose,
        "channel": message.channel,
        "account_id": message.account_id,
    }
    if reason is None:
        return [ConsentViolationCleared(**about)]
    return [
        ConsentViolated(
            **about, person_ref=message.person_ref, sent_at=message.sent_at, reason=reason, rule=message.rule
        )
    ]
