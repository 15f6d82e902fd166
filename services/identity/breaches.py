"""Leaks of personal data: who is to be told by when, what was done, and what was not.

Personal Information Protection Law of China, art. 57; GDPR, arts. 33 and 34. Each jurisdiction whose persons are
concerned has an authority and persons to be told, each with a clock that runs from when the leak was found.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import periods
from services.identity.breach_tables import Breach, BreachAct, BreachDuty
from services.identity.models import NEWEST_FILE, Account, RegistrationFile
from shared.clock import utc_now
from shared.clock_store import About, ClockRow, Fire
from shared.clocks import OutOfOrder
from shared.errors import Conflict, Invalid, NotFound
from shared.events.base import Event
from shared.events.identity import BreachClosed, BreachOverdue, BreachReported
from shared.identifiers import derived_id
from shared.paging import Cursor, paged
from shared.rule_values import NoSuchRule

ActKind = Literal["contained", "assessed", "authority_notified", "persons_notified", "persons_spared"]

_DUTIES = ("breach.authority", "breach.persons")
# Which duty an act does. Persons need not be told where the measures taken keep harm from them (PIPL, art. 57(2)).
_DOES: dict[str, str] = {
    "authority_notified": "breach.authority",
    "persons_notified": "breach.persons",
    "persons_spared": "breach.persons",
}


class BreachNotFound(NotFound):
    """No such breach, or none of the caller's platform."""


class IncidentReported(Conflict):
    """The incident was reported before, in other words."""

    code = "incident_reported_before"


class BreachIsClosed(Conflict):
    """The breach was closed: all that was to be done was done."""

    code = "breach_is_closed"


class NoSuchDuty(Invalid):
    """The breach concerns nobody of that jurisdiction."""

    code = "no_such_duty"


class Report(NamedTuple):
    """What is known of a breach."""

    platform_id: str
    incident_ref: str
    found_at: datetime
    data_kinds: list[str]
    persons: int
    jurisdictions: list[str]
    accounts: list[UUID]


class Act(NamedTuple):
    """What was done, where, when, by whom, and what shows it."""

    kind: ActKind
    jurisdiction: str | None
    at: datetime
    by: str
    evidence: str


async def report(session: AsyncSession, stated: Report, *, by: str, at: datetime) -> tuple[Breach, list[Event]]:
    """Keep a breach and begin its clocks; one that is reported again is one. Raises IncidentReported."""
    own = derived_id("breach", stated.platform_id, stated.incident_ref)
    row = {**stated._asdict(), "id": own, "reported_by": by, "reported_at": at}
    added = await session.execute(insert(Breach).values(row).on_conflict_do_nothing().returning(Breach.id))
    found = await session.get_one(Breach, own)
    if added.scalar_one_or_none() is None:
        if any(getattr(found, name) != value for name, value in stated._asdict().items()):
            raise IncidentReported(f"{stated.incident_ref!r} was reported otherwise; what is new of it is an act")
        return found, []
    for jurisdiction in stated.jurisdictions:
        for what in _DUTIES:
            await _begin(session, found, what, jurisdiction)
    await session.flush()
    told = {name: getattr(found, name) for name in ("incident_ref", "data_kinds", "persons", "jurisdictions")}
    return found, [BreachReported(occurred_at=found.found_at, breach_id=own, platform_id=found.platform_id, **told)]


async def act(session: AsyncSession, breach_id: UUID, done: Act) -> list[Event]:
    """Keep what was done; close the breach once it is contained and everybody was told.

    Raises BreachNotFound, BreachIsClosed, NoSuchDuty, OutOfOrder.
    """
    alone = select(Breach).where(Breach.id == breach_id).with_for_update()
    breach = (await session.execute(alone)).scalar_one_or_none()
    if breach is None:
        raise BreachNotFound(f"no breach {breach_id}")
    if breach.closed_at is not None:
        raise BreachIsClosed(f"closed at {breach.closed_at.isoformat()}")
    if not breach.found_at <= done.at <= utc_now():
        raise OutOfOrder("what was done about a leak is dated between its discovery and now", pointer="/body/at")
    if (what := _DOES.get(done.kind)) is not None:
        await _do(session, breach, what, done)
    session.add(BreachAct(breach_id=breach.id, platform_id=breach.platform_id, **done._asdict()))
    await session.flush()
    if not await _is_over(session, breach.id):
        return []
    breach.closed_at = done.at
    return [BreachClosed(occurred_at=done.at, breach_id=breach.id, platform_id=breach.platform_id)]


async def on_overdue(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Tell of authorities and persons that were not notified in time."""
    events: list[Event] = []
    for row in rows:
        duty = await session.get(BreachDuty, row.id, with_for_update=True, populate_existing=True)
        if duty is None or duty.done_at is not None or row.due_at is None:
            continue
        duty.overdue_at = row.due_at
        events.append(
            BreachOverdue(
                occurred_at=row.due_at,
                breach_id=duty.breach_id,
                platform_id=duty.platform_id,
                what="authority" if duty.what == "breach.authority" else "persons",
                jurisdiction=duty.jurisdiction,
                source=duty.source,
            )
        )
    return events


FIRING: dict[str, Fire] = dict.fromkeys(_DUTIES, on_overdue)


async def breach(session: AsyncSession, breach_id: UUID) -> dict[str, Any]:
    """Return a breach with its duties, what was done, and what is held of its accounts. Raises BreachNotFound."""
    found = await session.get(Breach, breach_id)
    if found is None:
        raise BreachNotFound(f"no breach {breach_id}")
    duties = select(BreachDuty).where(BreachDuty.breach_id == breach_id).order_by(BreachDuty.due_at, BreachDuty.id)
    acts = select(BreachAct).where(BreachAct.breach_id == breach_id).order_by(BreachAct.id)
    return {
        "breach": found,
        "duties": list((await session.execute(duties)).scalars()),
        "acts": list((await session.execute(acts)).scalars()),
        "affected": await _affected(session, found.accounts),
    }


async def breaches(session: AsyncSession, *, after: Cursor | None, limit: int) -> tuple[list[Breach], str | None]:
    """Return a page of breaches, the newest first, and the cursor of the next."""
    found = select(Breach).order_by(Breach.found_at.desc(), Breach.id.desc()).limit(limit + 1)
    if after is not None:
        found = found.where(tuple_(Breach.found_at, Breach.id) < (after.at, after.id))
    rows = (await session.execute(found)).scalars().all()
    return paged(rows, limit, lambda row: Cursor(row.found_at, row.id))


async def _begin(session: AsyncSession, found: Breach, what: str, jurisdiction: str) -> None:
    own = derived_id(what, found.id, jurisdiction)
    about = About(own, what, own, found.platform_id, {"breach_id": str(found.id)})
    try:
        period = await periods.begin(session, about, what, at=found.found_at, jurisdiction=jurisdiction)
    except NoSuchRule:
        # Before its law nobody was to be told.
        return
    session.add(
        BreachDuty(
            id=own,
            breach_id=found.id,
            platform_id=found.platform_id,
            what=what,
            jurisdiction=jurisdiction,
            due_at=period.due_at,
            source=period.rule.source,
        )
    )


async def _do(session: AsyncSession, found: Breach, what: str, done: Act) -> None:
    duties = select(BreachDuty).where(BreachDuty.breach_id == found.id, BreachDuty.what == what).with_for_update()
    if done.jurisdiction is not None:
        duties = duties.where(BreachDuty.jurisdiction == done.jurisdiction)
    rows = (await session.execute(duties)).scalars().all()
    if not rows and done.jurisdiction is not None and done.jurisdiction not in found.jurisdictions:
        raise NoSuchDuty(f"nobody of {done.jurisdiction} is concerned", pointer="/body/jurisdiction")
    for duty in rows:
        duty.done_at = duty.done_at or done.at
        await periods.stop(session, duty.id, [what], at=done.at, evidence=done.evidence)


async def _is_over(session: AsyncSession, breach_id: UUID) -> bool:
    undone = select(func.count()).where(BreachDuty.breach_id == breach_id, BreachDuty.done_at.is_(None))
    contained = select(func.count()).where(BreachAct.breach_id == breach_id, BreachAct.kind == "contained")
    return not (await session.execute(undone)).scalar_one() and bool((await session.execute(contained)).scalar_one())


async def _affected(session: AsyncSession, accounts: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return which personal fields are held of accounts: what those concerned are to be told about."""
    newest = (
        select(Account.id, RegistrationFile.content["sealed"])
        .join(
            RegistrationFile,
            NEWEST_FILE,
        )
        .where(Account.id.in_(accounts))
        .order_by(Account.id)
    )
    return [
        {"account_id": account, "fields": sorted(sealed or ())} for account, sealed in await session.execute(newest)
    ]
