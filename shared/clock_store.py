"""The table of clocks, and the worker that fires those that have run out: once, however often it is killed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import Date, DateTime, Index, Text, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.calendars import calendar_of
from shared.clock import wait
from shared.clocks import Clock, due, expire
from shared.database import Sessions, is_connection_error, new_metadata, transaction
from shared.errors import NotFound
from shared.events.base import Event
from shared.messaging import publish

log = structlog.get_logger(__name__)
metadata = new_metadata()

POLL_SECONDS = 1.0
FULL_BATCH = 500


class Base(DeclarativeBase):
    """The table of clocks, in every service's database that has deadlines."""

    metadata = metadata


class ClockRow(Base):
    """A clock: what it is for, all that was done to it, and when it is due as things stand."""

    __tablename__ = "clocks"
    __table_args__ = (
        Index("ix_clocks_due_at_id", "due_at", "id", postgresql_where=text("state = 'running'")),
        Index("ix_clocks_provisional", "id", postgresql_where=text("is_provisional AND state = 'running'")),
        Index("ix_clocks_subject_kind", "subject", "kind"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    subject: Mapped[UUID]
    platform_id: Mapped[str] = mapped_column(Text)
    clock: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # What the event at its end needs, and the rule the period came from.
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text)
    last_day: Mapped[date | None] = mapped_column(Date)
    due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # Its last day is in a year whose holidays were not announced when it was reckoned.
    is_provisional: Mapped[bool] = mapped_column(server_default="false")
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


# What a service makes of clocks of one kind that have run out: what is to be published, in the same transaction.
Fire = Callable[[AsyncSession, Sequence[ClockRow]], Awaitable[list[Event]]]
# What time it is for a service's clocks.
Now = Callable[[AsyncSession], Awaitable[datetime]]


class ClockNotFound(NotFound):
    """No such clock."""

    code = "clock_not_found"


@dataclass(frozen=True)
class About:
    """What a clock is for. The id is derived by the caller, so that what is told twice begins one clock."""

    id: UUID
    kind: str
    subject: UUID
    platform_id: str
    content: Mapping[str, Any]


async def start(session: AsyncSession, about: About, clock: Clock) -> bool:
    """Store a clock that has begun; tell whether it is new."""
    statement = insert(ClockRow).values(
        id=about.id,
        kind=about.kind,
        subject=about.subject,
        platform_id=about.platform_id,
        content=dict(about.content),
        started_at=clock.started_at,
        **_columns(clock),
    )
    stored = await session.execute(statement.on_conflict_do_nothing().returning(ClockRow.id))
    return stored.scalar_one_or_none() is not None


async def change(session: AsyncSession, clock_id: UUID, step: Callable[[Clock], Clock]) -> ClockRow:
    """Do something to a clock, alone. Raises ClockNotFound and whatever speaks against it."""
    found = select(ClockRow).where(ClockRow.id == clock_id).with_for_update()
    row = (await session.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
    if row is None:
        raise ClockNotFound(f"no clock {clock_id}")
    _keep(row, step(read(row)))
    return row


async def running(session: AsyncSession, subject: UUID, kind: str) -> Sequence[ClockRow]:
    """Return the clocks of a subject that have not ended."""
    found = select(ClockRow).where(
        ClockRow.subject == subject, ClockRow.kind == kind, ClockRow.state.in_(("running", "paused"))
    )
    return (await session.execute(found.order_by(ClockRow.started_at, ClockRow.id))).scalars().all()


def read(row: ClockRow) -> Clock:
    """Return the clock of a row."""
    return msgspec.convert(row.clock, Clock)


async def fire_due(session: AsyncSession, firing: Mapping[str, Fire], *, now: datetime, source: str) -> int:
    """End clocks that have run out and publish what that means; return how many.

    Rows that another worker has in hand are left to it. A worker that dies before the commit has done nothing.
    """
    found = (
        select(ClockRow)
        .where(ClockRow.state == "running", ClockRow.due_at <= now, ClockRow.kind.in_(list(firing)))
        .order_by(ClockRow.due_at, ClockRow.id)
        .limit(FULL_BATCH)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = (await session.execute(found)).scalars().all()
    ended = []
    for row in rows:
        clock = read(row)
        ends = due(clock, calendar_of(clock.jurisdiction))
        if ends is None or ends.at > now:
            # Holidays were announced since: it ends later than was thought.
            _keep(row, clock)
            continue
        _keep(row, expire(clock, calendar_of(clock.jurisdiction)))
        ended.append(row)
    for kind, fire in firing.items():
        of_kind = [row for row in ended if row.kind == kind]
        if of_kind:
            await publish(session, await fire(session, of_kind), source=source)
    await session.flush()
    return len(rows)


async def reckon_again(session: AsyncSession) -> int:
    """Reckon anew when clocks end whose holidays may have been announced since; return how many moved."""
    found = select(ClockRow).where(ClockRow.state == "running", ClockRow.is_provisional).with_for_update()
    moved = 0
    for row in (await session.execute(found)).scalars().all():
        before = row.due_at
        _keep(row, read(row))
        moved += row.due_at != before
    return moved


class Clockwork:
    """A worker's task that fires a service's clocks as they run out; it runs beside the service's consumers."""

    def __init__(self, service: str, sessions: Sessions, firing: Mapping[str, Fire], now: Now) -> None:
        self.service = service
        self._sessions = sessions
        self._firing = firing
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        """Fire what is due, again and again, until told to stop; an absent database is waited for."""
        reckoned = False
        while not stop.is_set():
            fired = 0
            try:
                if not reckoned:
                    async with transaction(self._sessions) as session:
                        await reckon_again(session)
                    reckoned = True
                fired = await self.once()
            except Exception as error:
                if not is_connection_error(error):
                    raise
                log.warning("clocks_wait", service=self.service, error=repr(error))
            if fired < FULL_BATCH:
                await wait(stop, POLL_SECONDS)

    async def once(self) -> int:
        """Fire one batch of what is due, in one transaction; return how many were looked at."""
        async with transaction(self._sessions) as session:
            now = await self._now(session)
            return await fire_due(session, self._firing, now=now, source=self.service)


def _keep(row: ClockRow, clock: Clock) -> None:
    for column, value in _columns(clock).items():
        setattr(row, column, value)


def _columns(clock: Clock) -> dict[str, Any]:
    kept = {"clock": msgspec.to_builtins(clock), "state": clock.state}
    if clock.state in ("met", "expired"):
        # When it was due stays for those who ask.
        return kept
    return kept | reckoned(clock)


def reckoned(clock: Clock) -> dict[str, Any]:
    """Return when a clock ends, as the columns have it."""
    ends = due(clock, calendar_of(clock.jurisdiction))
    return {
        "last_day": ends.last_day if ends is not None else None,
        "due_at": ends.at if ends is not None else None,
        "is_provisional": ends is not None and ends.is_provisional,
    }
