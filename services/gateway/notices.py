"""Which notice an event becomes, for which endpoints, and its place in the line of its subject."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.models import Account, Delivery, Endpoint
from shared.consumer import Received
from shared.database import driver
from shared.events.credit import LevelChanged
from shared.events.identity import OperatorLinked
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id, derived_id

SEVERITIES = ("low", "medium", "high", "critical")

_PLACES = """
    INSERT INTO lines (endpoint_id, subject, last_seq, head_seq, due_at)
    SELECT e, s, n, 1, now() FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS x (e, s, n)
    ON CONFLICT (endpoint_id, subject) DO UPDATE SET last_seq = lines.last_seq + excluded.last_seq
    RETURNING endpoint_id, subject, last_seq
"""

_encode = msgspec.json.Encoder().encode


class Notice(NamedTuple):
    """What is told: about whom, since when, and in which words."""

    event_id: str
    subject: UUID
    type: str
    at: datetime
    severity: str | None
    data: dict[str, Any]


class Body(msgspec.Struct, frozen=True):
    """The body of a notice, as Standard Webhooks writes it."""

    type: str
    timestamp: datetime
    data: dict[str, Any]


async def link(session: AsyncSession, events: Sequence[OperatorLinked]) -> None:
    """Remember whose accounts they are."""
    newest = {e.account_id: {"account_id": e.account_id, "operator_id": e.operator_id} for e in events}
    statement = insert(Account)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[Account.account_id], set_={"operator_id": statement.excluded.operator_id}
        ),
        [newest[account] for account in sorted(newest)],
    )


async def queue(session: AsyncSession, received: Sequence[Received]) -> None:
    """Put each event in the line of its subject, at every active endpoint that wants it."""
    holders = await _holders(session, received)
    notices = [_notice(one, holders) for one in received]
    statement = select(Endpoint).where(Endpoint.state == "active").order_by(Endpoint.id)
    endpoints = list((await session.execute(statement)).scalars())
    wanted = [(endpoint, notice) for endpoint in endpoints for notice in notices if wants(endpoint, notice)]
    if not wanted:
        return
    places = await _places(session, Counter((e.id, n.subject) for e, n in wanted))
    rows = []
    for endpoint, notice in wanted:
        places[endpoint.id, notice.subject] += 1
        rows.append(_row(endpoint, notice, places[endpoint.id, notice.subject]))
    await session.execute(insert(Delivery), rows)


def wants(endpoint: Endpoint, notice: Notice) -> bool:
    """Tell whether an endpoint subscribed to a notice of this type and severity."""
    if notice.type not in endpoint.types:
        return False
    least = SEVERITIES.index(endpoint.least_severity)
    return notice.severity is None or SEVERITIES.index(notice.severity) >= least


async def _places(session: AsyncSession, counts: Counter[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], int]:
    """Reserve places at the end of lines; return the last place taken before in each."""
    keys = sorted(counts)
    rows = await (await driver(session)).fetch(
        _PLACES, [k[0] for k in keys], [k[1] for k in keys], [counts[k] for k in keys]
    )
    ends = {(row["endpoint_id"], row["subject"]): row["last_seq"] for row in rows}
    return {key: end - counts[key] for key, end in ends.items()}


async def _holders(session: AsyncSession, received: Sequence[Received]) -> dict[UUID, UUID]:
    accounts = {one.event.account_id for one in received if not isinstance(one.event, LevelChanged)}
    statement = select(Account.account_id, Account.operator_id).where(Account.account_id.in_(accounts - {None}))
    return {account: operator for account, operator in (await session.execute(statement)).all()}


def _notice(one: Received, holders: dict[UUID, UUID]) -> Notice:
    event: LevelChanged | AlertRaised | AlertWithdrawn = one.event
    data: dict[str, Any] = msgspec.to_builtins(event)
    if isinstance(event, LevelChanged):
        return Notice(one.id, event.operator_id, one.type, event.occurred_at, None, data)
    subject = _subject(event, holders)
    data["operator_id"] = str(subject)
    return Notice(one.id, subject, one.type, event.occurred_at, event.severity, data)


def _subject(event: AlertRaised | AlertWithdrawn, holders: dict[UUID, UUID]) -> UUID:
    """Return the operator; the account until it is linked, the platform where no operator is known."""
    if event.account_id is None:
        return account_id(event.platform_id, "")
    return holders.get(event.account_id, event.account_id)


def _row(endpoint: Endpoint, notice: Notice, seq: int) -> dict[str, object]:
    body = Body(notice.type, notice.at, {**notice.data, "seq": seq})
    return {
        "id": derived_id("delivery", endpoint.id, notice.event_id),
        "endpoint_id": endpoint.id,
        "subject": notice.subject,
        "seq": seq,
        "event_id": notice.event_id,
        "type": notice.type,
        "body": _encode(body),
    }
