"""Files are verified again before their period ends, by a register or by the platform, or they lapse.

Two clocks follow one another. The first asks the register, some days before the period ends and not the same for all:
what it confirms begins anew, and what it does not have lapses. Where no register answers, the second waits until the
period is over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import badges, registry
from services.identity.models import Account, RegistrationFile
from services.identity.retention import Ended
from services.identity.rule_values import OF_THE_LAW, RuleValues
from services.identity.verification import Register
from shared import clock_store, clocks
from shared.calendars import Calendar, NoCalendar, calendar_of
from shared.clock import utc_now
from shared.clock_store import About, ClockRow, Fire
from shared.clocks import Clock
from shared.database import kept
from shared.events.base import Event
from shared.events.identity import OperatorLapsed, VerificationDue
from shared.events.platform import OperatorRegistered
from shared.identifiers import derived_id
from shared.rule_values import NoSuchRule

log = structlog.get_logger(__name__)

CHECK, DEADLINE = "verification.check", "verification.deadline"
# While platforms' files flow, their own time counts; once they have been silent for so long, the wall clock does.
# Alerts and offers, which are read too, go on where nobody registers, and say nothing of that time.
_SILENT = timedelta(days=1)
_MOVED = text("SELECT max(moved_at) FROM stream_offsets WHERE topic = 'identity.accepted'")


class Verified(Ended, Protocol):
    """What is to be known of an account that was checked."""

    @property
    def verdict(self) -> str:
        """Return what its file is worth."""


async def now(session: AsyncSession) -> datetime:
    """Return what time it is for clocks: no later than what has been read, so that a history lapses as it goes on."""
    wall = utc_now()
    moved = (await session.execute(_MOVED)).scalar_one_or_none()
    if moved is None or wall - moved > _SILENT:
        return wall
    newest = (await session.execute(select(func.max(Account.updated_at)))).scalar_one_or_none()
    return wall if newest is None else min(wall, newest)


class Begun(NamedTuple):
    """A clock that has begun, what it is for, and when it ends, as the columns have it."""

    about: About
    clock: Clock
    ends: dict[str, Any]


def begun(values: RuleValues, account: Verified, jurisdiction: str, *, at: datetime) -> Begun | None:
    """Return the clock after which an account's file must have been verified again; rejected ones have none."""
    if account.verdict != "verified":
        return None
    try:
        spread = values.apply("verification.spread", on=at.date(), jurisdiction=jurisdiction).value.value
        earlier = timedelta(hours=account.id.int % max(1, round(spread * 24)))
        clock = _clock(values, jurisdiction, at=at - earlier, ruled_on=at)
        ends = clock_store.reckoned(clock)
    except (NoSuchRule, NoCalendar) as error:
        # Before its law there was no period, and nobody knows the holidays of a distant year.
        log.info("no_verification_period", account=str(account.id), error=str(error))
        return None
    return Begun(_about(CHECK, account, jurisdiction, at), clock, ends)


async def on_checks(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Ask the register of each, begin anew what it confirms, let lapse what it has not, and wait for the others."""
    events: list[Event] = []
    for row in rows:
        account, file = await _current(session, row)
        if account is None or file is None or row.due_at is None:
            continue
        register = await registry.register_of(
            session, msgspec.convert(file.content, OperatorRegistered), row.due_at.date()
        )
        jurisdiction = row.content["jurisdiction"]
        if reason := _against(register):
            events += await _lapse(session, account, file, row, reason)
        elif register.standing == "registered":
            await _begin_again(session, account, jurisdiction, at=row.due_at)
        else:
            events.append(await _wait(session, account, row))
    return events


async def on_deadlines(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Let lapse what nobody has verified again in time."""
    events: list[Event] = []
    for row in rows:
        account, file = await _current(session, row)
        if account is not None and file is not None:
            events += await _lapse(session, account, file, row, "verification_overdue")
    return events


FIRING: dict[str, Fire] = {CHECK: on_checks, DEADLINE: on_deadlines}


def _against(register: Register) -> str | None:
    if register.standing == "absent":
        return "not_in_registry"
    if register.standing == "ended":
        return "registry_entry_ended"
    return "registry_name_differs" if register.likeness == "other" else None


async def _begin_again(session: AsyncSession, account: Account, jurisdiction: str, *, at: datetime) -> None:
    values = kept(session, RuleValues)
    await values.refresh(session)
    if (again := begun(values, account, jurisdiction, at=at)) is not None:
        await clock_store.start(session, again.about, again.clock)


async def _wait(session: AsyncSession, account: Account, row: ClockRow) -> Event:
    """Wait for the platform until the period is over, and return what reminds it."""
    values, at = kept(session, RuleValues), datetime.fromisoformat(row.content["verified_at"])
    await values.refresh(session)
    jurisdiction = row.content["jurisdiction"]
    clock = _clock(values, jurisdiction, at=at, ruled_on=at)
    await clock_store.start(session, _about(DEADLINE, account, jurisdiction, at), clock)
    ends = clocks.due(clock, calendar_of(clock.jurisdiction))
    assert row.due_at is not None, "a clock that has run out was due"
    assert ends is not None, "a clock that has just begun does not stand"
    return VerificationDue(
        occurred_at=row.due_at,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=account.platform_id,
        operator_ref=account.operator_ref,
        version=account.version,
        due_at=ends.at,
    )


def _clock(values: RuleValues, jurisdiction: str, *, at: datetime, ruled_on: datetime) -> Clock:
    period = values.apply("verification.period", on=ruled_on.date(), jurisdiction=jurisdiction).value
    return clocks.begin(_calendar(jurisdiction), at=at, amount=round(period.value), unit="months")


def _calendar(jurisdiction: str) -> Calendar:
    try:
        return calendar_of(jurisdiction)
    except NoCalendar:
        return calendar_of(OF_THE_LAW)


def _about(kind: str, account: Verified, jurisdiction: str, at: datetime) -> About:
    content: dict[str, Any] = {
        "version": account.version,
        "verified_at": at.isoformat(),
        "jurisdiction": jurisdiction,
        "rule": "verification.period",
    }
    identifier = derived_id(kind, account.id, account.version, at.isoformat())
    return About(identifier, kind, account.id, account.platform_id, content)


async def _current(session: AsyncSession, row: ClockRow) -> tuple[Account | None, RegistrationFile | None]:
    """Return the account and file that a clock was begun for, if they are still the newest."""
    found = select(Account).where(Account.id == row.subject).with_for_update()
    account = (await session.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
    if account is None or account.state != "active" or account.version != row.content["version"]:
        return None, None
    return account, await session.get(RegistrationFile, (account.id, account.version))


async def _lapse(
    session: AsyncSession, account: Account, file: RegistrationFile, row: ClockRow, reason: str
) -> list[Event]:
    assert row.due_at is not None, "a clock that has run out was due"
    account.version += 1
    account.state, account.verdict, account.reasons = "lapsed", "unverified", [reason]
    account.updated_at = row.due_at
    own = (account.id, account.version, account.platform_id, account.operator_id)
    lapsed = OperatorLapsed(
        occurred_at=row.due_at,
        account_id=own[0],
        operator_id=own[3],
        platform_id=own[2],
        operator_ref=account.operator_ref,
        version=own[1],
        jurisdiction=row.content["jurisdiction"],
        entity_type=str(file.content.get("entity_type", "")),
        reasons=[reason],
        verified_at=datetime.fromisoformat(row.content["verified_at"]),
    )
    session.add(
        RegistrationFile(
            account_id=own[0],
            version=own[1],
            platform_id=own[2],
            operator_id=own[3],
            event_id=str(row.id),
            event_type=OperatorLapsed.type,
            content=file.content,
            state=account.state,
            verdict=account.verdict,
            reasons=account.reasons,
            stated_at=row.due_at,
        )
    )
    revoked = await badges.revoke_of(session, account, "verification lapsed", at=row.due_at)
    return [*revoked, lapsed]
