"""Complaints: filed once, resolved once, every step kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.disputes.models import Complaint, Step
from shared.auth import Caller, Role
from shared.errors import Conflict, NotFound
from shared.events.disputes import Category, ComplaintFiled, ComplaintResolved, Outcome
from shared.identifiers import account_id, new_id
from shared.messaging import publish
from shared.paging import Cursor

_OFFICIALS = (Role.REGULATOR, Role.INSPECTOR, Role.ADMINISTRATOR)


class ComplaintNotFound(NotFound):
    """No such complaint, or not one the caller is a party of."""


class KeyReused(Conflict):
    """An idempotency key came back with another complaint."""


class AlreadyResolved(Conflict):
    """The complaint ended before, in another way."""


@dataclass(frozen=True)
class Filing:
    """What a consumer states, and the key that makes filing it twice one complaint."""

    platform_id: str
    operator_ref: str
    order_ref: str | None
    category: Category
    description: str
    desired_outcome: str
    claimed_minor: int | None
    currency: str | None
    idempotency_key: str
    body_hash: bytes


async def file_complaint(
    session: AsyncSession, *, filing: Filing, caller: Caller, now: datetime
) -> tuple[Complaint, bool]:
    """File a complaint, or find the one filed with the same key; tell whether it is new. Raises KeyReused."""
    account = account_id(filing.platform_id, filing.operator_ref)
    statement = (
        insert(Complaint)
        .values(id=new_id(), account_id=account, consumer_ref=caller.subject, filed_at=now, **vars(filing))
        .on_conflict_do_nothing(index_elements=["consumer_ref", "idempotency_key"])
        .returning(Complaint)
    )
    complaint = (await session.execute(statement)).scalar_one_or_none()
    if complaint is None:
        return await _filed_before(session, filing, caller), False
    session.add(Step(complaint_id=complaint.id, what="filed", by=caller.role, at=now))
    event = ComplaintFiled(
        occurred_at=now,
        complaint_id=complaint.id,
        account_id=account,
        platform_id=filing.platform_id,
        order_ref=filing.order_ref,
        category=filing.category,
        claimed_minor=filing.claimed_minor,
        currency=filing.currency,
    )
    await publish(session, event, source="disputes")
    return complaint, True


async def _filed_before(session: AsyncSession, filing: Filing, caller: Caller) -> Complaint:
    statement = select(Complaint).where(
        Complaint.consumer_ref == caller.subject, Complaint.idempotency_key == filing.idempotency_key
    )
    complaint = (await session.execute(statement)).scalar_one()
    if complaint.body_hash != filing.body_hash:
        raise KeyReused("this Idempotency-Key was used for another complaint", pointer="/idempotency-key")
    return complaint


async def resolve_complaint(
    session: AsyncSession,
    complaint_id: UUID,
    *,
    outcome: Outcome,
    note: str | None,
    caller: Caller,
    now: datetime,
) -> Complaint:
    """End a complaint; the same outcome twice is one ending. Raises ComplaintNotFound, AlreadyResolved."""
    statement = (
        update(Complaint)
        .where(Complaint.id == complaint_id, Complaint.state == "filed")
        .values(state="resolved", outcome=outcome, resolved_at=now)
        .returning(Complaint)
    )
    complaint = (await session.execute(statement)).scalar_one_or_none()
    if complaint is None:
        return await _resolved_before(session, complaint_id, outcome, caller)
    session.add(Step(complaint_id=complaint_id, what=f"resolved: {outcome}", by=caller.role, note=note, at=now))
    event = ComplaintResolved(
        occurred_at=now,
        complaint_id=complaint.id,
        account_id=complaint.account_id,
        platform_id=complaint.platform_id,
        order_ref=complaint.order_ref,
        category=complaint.category,
        outcome=outcome,
        filed_at=complaint.filed_at,
    )
    await publish(session, event, source="disputes")
    return complaint


async def _resolved_before(session: AsyncSession, complaint_id: UUID, outcome: Outcome, caller: Caller) -> Complaint:
    complaint = await find(session, complaint_id, caller=caller)
    if complaint.outcome != outcome:
        raise AlreadyResolved(f"the complaint was resolved as {complaint.outcome}")
    return complaint


async def find(session: AsyncSession, complaint_id: UUID, *, caller: Caller) -> Complaint:
    """Return a complaint to its consumer, its platform or an official. Raises ComplaintNotFound."""
    statement = select(Complaint).where(Complaint.id == complaint_id, *_visible_to(caller))
    complaint = (await session.execute(statement)).scalar_one_or_none()
    if complaint is None:
        raise ComplaintNotFound(f"no complaint {complaint_id}")
    return complaint


async def complaints(
    session: AsyncSession, *, caller: Caller, account: UUID | None, after: Cursor | None, limit: int
) -> tuple[list[Complaint], str | None]:
    """Return a page of the complaints a caller may see, newest first, and the cursor of the next."""
    statement = select(Complaint).where(*_visible_to(caller)).limit(limit + 1)
    statement = statement.order_by(Complaint.filed_at.desc(), Complaint.id.desc())
    if account is not None:
        statement = statement.where(Complaint.account_id == account)
    if after is not None:
        statement = statement.where(tuple_(Complaint.filed_at, Complaint.id) < (after.at, after.id))
    found = list((await session.execute(statement)).scalars())
    more = len(found) > limit
    last = found[limit - 1] if more else None
    return found[:limit], Cursor(last.filed_at, last.id).encode() if last is not None else None


def _visible_to(caller: Caller) -> tuple[ColumnElement[bool], ...]:
    if caller.role in _OFFICIALS:
        return ()
    if caller.role is Role.PLATFORM:
        return (Complaint.platform_id == caller.platform_id,)
    return (Complaint.consumer_ref == caller.subject,)


async def timeline(session: AsyncSession, complaint_id: UUID, *, caller: Caller) -> list[Step]:
    """Return every step of a complaint, the first one first. Raises ComplaintNotFound."""
    await find(session, complaint_id, caller=caller)
    statement = select(Step).where(Step.complaint_id == complaint_id).order_by(Step.id)
    return list((await session.execute(statement)).scalars())


async def summary(session: AsyncSession) -> dict[str, object]:
    """Count complaints by state."""
    by_state = select(Complaint.state, func.count()).group_by(Complaint.state)
    found = {state: n for state, n in (await session.execute(by_state)).all()}
    return {"complaints": sum(found.values()), "by_state": found}
