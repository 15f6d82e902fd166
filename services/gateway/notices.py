"""Which notice an event becomes, for which endpoints, and its place in the line of its subject."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import driver
from shared.events.credit import LevelChanged
from shared.events.duties import (
    DisclosureRequested,
    RemovalCarriedOut,
    RemovalEscalated,
    RemovalOrdered,
    RemovalWithdrawn,
)
from shared.events.identity import FileChanged, OperatorCleared, OperatorLinked, OperatorReturned, VerificationDue
from shared.events.listings import ListingAllowed, ListingHeld
from shared.events.risk import AlertRaised, AlertWithdrawn, DeclarationChannelled
from shared.identifiers import account_id, derived_id
from shared.received import Received

# What a platform is told of its own accounts; identity says of which operator they are.
FOR_PLATFORMS = (
    *(OperatorReturned, OperatorCleared, VerificationDue),
    *(RemovalOrdered, RemovalCarriedOut, RemovalWithdrawn, RemovalEscalated, DisclosureRequested),
    *(ListingHeld, ListingAllowed),
)
Offer = ListingHeld | ListingAllowed
Removal = RemovalOrdered | RemovalCarriedOut | RemovalWithdrawn | RemovalEscalated
FromIdentity = FileChanged | VerificationDue | OperatorReturned | OperatorCleared | Removal
AboutAccount = AlertRaised | AlertWithdrawn | DeclarationChannelled | DisclosureRequested | Offer | FromIdentity
News = LevelChanged | AboutAccount
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Endpoints of a platform belong to this and its id.
PLATFORM = "platform:"
_OF_THE_BANNED = ("banned_account_id", "banned_operator_id", "banned_platform_id", "banned_at")

SEVERITIES = ("low", "medium", "high", "critical")

_LINK = """
    INSERT INTO accounts (account_id, operator_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
    ON CONFLICT (account_id) DO UPDATE SET operator_id = excluded.operator_id
"""
_HOLDERS = "SELECT account_id, operator_id FROM accounts WHERE account_id = ANY($1::uuid[])"
_SUBSCRIBERS = "SELECT id, department, types, least_severity FROM endpoints WHERE state = 'active' ORDER BY id"
_PLACES = """
    INSERT INTO lines (endpoint_id, subject, last_seq, head_seq, due_at)
    SELECT e, s, n, 1, now() FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS x (e, s, n)
    ON CONFLICT (endpoint_id, subject) DO UPDATE SET last_seq = lines.last_seq + excluded.last_seq
    RETURNING endpoint_id, subject, last_seq
"""

_QUEUE = """
    INSERT INTO deliveries (id, endpoint_id, subject, seq, event_id, type, body)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bytea[])
"""

_encode = msgspec.json.Encoder().encode


class Subscriber(NamedTuple):
    """An active endpoint, and what it wants to be told."""

    id: UUID
    department: str
    types: list[str]
    least_severity: str


class Notice(NamedTuple):
    """What is told: about whom, since when, and in which words."""

    event_id: str
    subject: UUID
    type: str
    at: datetime
    data: dict[str, Any]


class Body(msgspec.Struct, frozen=True):
    """The body of a notice, as Standard Webhooks writes it."""

    type: str
    timestamp: datetime
    data: dict[str, Any]


async def link(session: AsyncSession, events: Sequence[OperatorLinked]) -> None:
    """Remember whose accounts they are."""
    newest = {event.account_id: event.operator_id for event in events}
    accounts = sorted(newest)
    await (await driver(session)).execute(_LINK, accounts, [newest[account] for account in accounts])


async def queue(session: AsyncSession, received: Sequence[Received]) -> None:
    """Put each event in the line of its subject, at every active endpoint that wants it."""
    connection = await driver(session)
    subscribers = [Subscriber(*row) for row in await connection.fetch(_SUBSCRIBERS)]
    news = [one for one in received if any(wants(subscriber, one.event) for subscriber in subscribers)]
    if not news:
        return
    holders = await _holders(connection, news)
    told = [(one.event, _notice(one, holders)) for one in news]
    wanted = [(s.id, shown(s, notice)) for s in subscribers for event, notice in told if wants(s, event)]
    places = await _places(connection, Counter((endpoint, notice.subject) for endpoint, notice in wanted))
    rows = []
    for endpoint, notice in wanted:
        places[endpoint, notice.subject] += 1
        rows.append(_row(endpoint, notice, places[endpoint, notice.subject]))
    await connection.execute(_QUEUE, *zip(*rows, strict=True))


def wants(subscriber: Subscriber, event: News) -> bool:
    """Tell whether an endpoint subscribed to an event of this type and, of alerts, severity; a platform to its own."""
    if event.type not in subscriber.types:
        return False
    if subscriber.department.startswith(PLATFORM):
        return isinstance(event, FOR_PLATFORMS) and subscriber.department == f"{PLATFORM}{event.platform_id}"
    if not isinstance(event, AlertRaised | AlertWithdrawn):
        return True
    return SEVERITIES.index(event.severity) >= SEVERITIES.index(subscriber.least_severity)


def shown(subscriber: Subscriber, notice: Notice) -> Notice:
    """Return a notice as an endpoint may see it: to a platform, who was banned only where it banned it itself."""
    if not subscriber.department.startswith(PLATFORM):
        return notice
    if f"{PLATFORM}{notice.data.get('banned_platform_id')}" == subscriber.department:
        return notice
    return notice._replace(data={k: v for k, v in notice.data.items() if k not in _OF_THE_BANNED})


async def _places(connection: Connection, counts: Counter[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], int]:
    """Reserve places at the end of lines; return the last place taken before in each."""
    keys = sorted(counts)
    rows = await connection.fetch(_PLACES, [k[0] for k in keys], [k[1] for k in keys], [counts[k] for k in keys])
    ends = {(row["endpoint_id"], row["subject"]): row["last_seq"] for row in rows}
    return {key: end - counts[key] for key, end in ends.items()}


async def _holders(connection: Connection, news: Sequence[Received]) -> dict[UUID, UUID]:
    accounts = {one.event.account_id for one in news if not isinstance(one.event, LevelChanged)}
    rows = await connection.fetch(_HOLDERS, list(accounts - {None}))
    return {row["account_id"]: row["operator_id"] for row in rows}


def _notice(one: Received, holders: Mapping[UUID, UUID]) -> Notice:
    event: News = one.event
    data: dict[str, Any] = msgspec.to_builtins(event)
    if isinstance(event, LevelChanged):
        return Notice(one.id, event.operator_id, one.type, event.occurred_at, data)
    subject = _subject(event, holders)
    data["operator_id"] = str(subject)
    return Notice(one.id, subject, one.type, event.occurred_at, data)


def _subject(event: AboutAccount, holders: Mapping[UUID, UUID]) -> UUID:
    """Return the operator; the account until it is linked, the platform where no operator is known."""
    if isinstance(event, FromIdentity):
        return event.operator_id
    if event.account_id is None:
        return account_id(event.platform_id, "")
    return holders.get(event.account_id, event.account_id)


def _row(endpoint: UUID, notice: Notice, seq: int) -> tuple[UUID, UUID, UUID, int, str, str, bytes]:
    body = _encode(Body(notice.type, notice.at, {**notice.data, "seq": seq}))
    delivery = derived_id("delivery", endpoint, notice.event_id)
    return delivery, endpoint, notice.subject, seq, notice.event_id, notice.type, body
