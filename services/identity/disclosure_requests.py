"""Consumers demand a seller's real name, address and contact of its platform, which answers in time or is liable.

Consumer Rights Protection Law of China, art. 44: a platform that cannot give them pays in the seller's place. An answer
is held against the seller's registration file, so that any name will not do.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import periods, personal_reads, registry
from services.identity.disclosure_request_tables import DisclosureRequest
from services.identity.models import NEWEST_FILE, Account, RegistrationFile
from services.identity.name_likeness import compare
from services.identity.personal import HIDDEN
from services.identity.personal_reads import Asked, Reader
from services.identity.rule_values import OF_THE_LAW
from services.identity.vault import Vault
from shared.auth import Caller, Role
from shared.clock import utc_now
from shared.clock_store import About, ClockRow, Fire
from shared.database import NO_PLATFORM, Sessions, transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events.base import Event
from shared.events.duties import DisclosureAnswered, DisclosureDefaulted, DisclosureRequested
from shared.identifiers import account_id, new_id
from shared.messaging import publish
from shared.paging import Cursor, paged

PERIOD = "disclosure.period"
PURPOSE = "consumer_disclosure"
_NAME = "legal_name"


class RequestNotFound(NotFound):
    """No such request, or none that the caller is a party of."""


class AnsweredBefore(Conflict):
    """The platform has answered."""

    code = "answered_before"


class NotTheSeller(Invalid):
    """The name is another one than the seller registered with."""

    code = "not_the_seller"


class NotAnswered(Conflict):
    """There is nothing to read yet."""

    code = "not_answered"


class Demand(NamedTuple):
    """Who is asked about whom, and what for."""

    platform_id: str
    operator_ref: str
    order_ref: str | None
    cause: str


async def request(
    session: AsyncSession, demand: Demand, caller: Caller, *, at: datetime
) -> tuple[DisclosureRequest, bool]:
    """Demand who a seller is, or find the demand that waits; tell whether it is new. Raises NoSuchRule."""
    account = account_id(demand.platform_id, demand.operator_ref)
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"disclosure {caller.subject} {account}"))))
    waiting = select(DisclosureRequest).where(
        DisclosureRequest.consumer_ref == caller.subject,
        DisclosureRequest.account_id == account,
        DisclosureRequest.answered_at.is_(None),
    )
    known = (await session.execute(waiting)).scalar_one_or_none()
    if known is not None:
        return known, False
    own = new_id()
    period = await periods.begin(session, About(own, PERIOD, own, demand.platform_id, {}), PERIOD, at=at)
    added = DisclosureRequest(
        id=own,
        account_id=account,
        consumer_ref=caller.subject,
        requested_at=at,
        due_at=period.due_at,
        source=period.rule.source,
        sealed={},
        **demand._asdict(),
    )
    session.add(added)
    await session.flush()
    await publish(session, DisclosureRequested(**_about(added, at), due_at=added.due_at), source="identity")
    return added, True


async def answer(
    sessions: Sessions, vault: Vault, request_id: UUID, texts: dict[str, str], caller: Caller
) -> DisclosureRequest:
    """Keep a platform's answer, sealed. Raises RequestNotFound, AnsweredBefore, NotTheSeller."""
    own = caller.platform_id or NO_PLATFORM
    async with transaction(sessions, own) as session:
        found, now = await find(session, request_id, caller=caller), utc_now()
        stated = await _stated_name(session, vault, found, now)
        near = await registry.near_from(session, OF_THE_LAW, now.date())
    # What a seller is called is opened only now that the read is committed.
    name = await stated.opened()
    if name is not None and compare(name, texts[_NAME], near_from=near).likeness == "other":
        raise NotTheSeller("the seller is registered under another name", pointer="/legal_name")
    sealed = await vault.sealed_texts(found.account_id, texts)
    async with transaction(sessions, own) as session:
        alone = select(DisclosureRequest).where(DisclosureRequest.id == request_id).with_for_update()
        row = (await session.execute(alone)).scalar_one()
        if row.answered_at is not None:
            raise AnsweredBefore(f"answered at {row.answered_at.isoformat()}")
        row.sealed, row.answered_by, row.answered_at = sealed, caller.subject, max(now, row.requested_at)
        await periods.stop(session, row.id, [PERIOD], at=row.answered_at, evidence=f"answered by {caller.subject}")
        await publish(session, DisclosureAnswered(**_about(row, row.answered_at)), source="identity")
        return row


async def read(sessions: Sessions, vault: Vault, request_id: UUID, caller: Caller, now: datetime) -> dict[str, Any]:
    """Open an answer to who asked; that it is read is stored before. Raises RequestNotFound, NotAnswered."""
    async with transaction(sessions) as session:
        found = await find(session, request_id, caller=caller)
        if found.answered_at is None:
            raise NotAnswered("the platform has not answered")
        reader = Reader(caller.role, caller.subject)
        await personal_reads.permit(session, reader, PURPOSE, at=now)
        asked = Asked(PURPOSE, f"request {found.id}", sorted(found.sealed))
        personal_reads.note(session, reader, asked, [found.account_id], at=now)
    texts = await vault.texts(found.account_id, found.sealed)
    return {"request": found, "fields": texts, "destroyed": sorted(found.sealed.keys() - texts.keys())}


async def on_overdue(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Tell of platforms that did not answer in time: they are liable from now on."""
    events: list[Event] = []
    for row in rows:
        alone = select(DisclosureRequest).where(DisclosureRequest.id == row.subject).with_for_update()
        found = (await session.execute(alone.execution_options(populate_existing=True))).scalar_one_or_none()
        if found is None or found.answered_at is not None or row.due_at is None:
            continue
        found.defaulted_at = row.due_at
        events.append(
            DisclosureDefaulted(
                **_about(found, row.due_at),
                consumer_ref=found.consumer_ref,
                order_ref=found.order_ref,
                source=found.source,
            )
        )
    return events


FIRING: dict[str, Fire] = {PERIOD: on_overdue}


async def find(session: AsyncSession, request_id: UUID, *, caller: Caller) -> DisclosureRequest:
    """Return a request to its consumer, its platform or an official. Raises RequestNotFound."""
    statement = select(DisclosureRequest).where(DisclosureRequest.id == request_id, *_visible_to(caller))
    found = (await session.execute(statement)).scalar_one_or_none()
    if found is None:
        raise RequestNotFound(f"no disclosure request {request_id}")
    return found


async def requests(
    session: AsyncSession, *, caller: Caller, after: Cursor | None, limit: int
) -> tuple[list[DisclosureRequest], str | None]:
    """Return a page of the requests a caller may see, the newest first, and the cursor of the next."""
    found = select(DisclosureRequest).where(*_visible_to(caller))
    if after is not None:
        found = found.where(tuple_(DisclosureRequest.requested_at, DisclosureRequest.id) < (after.at, after.id))
    ordered = found.order_by(DisclosureRequest.requested_at.desc(), DisclosureRequest.id.desc()).limit(limit + 1)
    rows = (await session.execute(ordered)).scalars().all()
    return paged(rows, limit, lambda row: Cursor(row.requested_at, row.id))


async def counts(session: AsyncSession) -> dict[str, int]:
    """Count requests, those answered and those whose platform became liable."""
    one = DisclosureRequest
    counted = select(func.count(), func.count(one.answered_at), func.count(one.defaulted_at)).select_from(one)
    requested, answered, defaulted = (await session.execute(counted)).one()
    return {"requested": requested, "answered": answered, "defaulted": defaulted}


def _visible_to(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    # A platform's own are all that its transaction sees.
    return (DisclosureRequest.consumer_ref == caller.subject,) if caller.role is Role.CONSUMER else ()


class _Stated(NamedTuple):
    """The name a seller is registered with: in clear, or sealed with what opens it."""

    vault: Vault
    account: UUID
    name: str | None
    tokens: dict[str, str]

    async def opened(self) -> str | None:
        """Return the name; nothing where there is none, or its key is gone."""
        if not self.tokens:
            return self.name
        return (await self.vault.texts(self.account, self.tokens)).get(_NAME)


async def _stated_name(session: AsyncSession, vault: Vault, found: DisclosureRequest, now: datetime) -> _Stated:
    newest = select(RegistrationFile.content).join(Account, NEWEST_FILE).where(Account.id == found.account_id)
    content: dict[str, Any] = (await session.execute(newest)).scalar_one_or_none() or {}
    name = content.get(_NAME)
    if name != HIDDEN:
        return _Stated(vault, found.account_id, name, {})
    tokens = {key: token for key, token in content.get("sealed", {}).items() if key == _NAME}
    asked = Asked("verification", f"answer to disclosure request {found.id}", [_NAME])
    personal_reads.note(session, personal_reads.WORKER, asked, [found.account_id], at=now)
    return _Stated(vault, found.account_id, None, tokens)


def _about(row: DisclosureRequest, at: datetime) -> dict[str, Any]:
    names = ("account_id", "platform_id", "operator_ref")
    return {"occurred_at": at, "request_id": row.id, **{name: getattr(row, name) for name in names}}
