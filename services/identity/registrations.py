"""Registration files: every version kept, checked, and linked to the legal entity they name."""

from uuid import UUID

import msgspec
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import registry, reverification
from services.identity.conditions import File
from services.identity.models import Account, AccountLink, Operator, RegistrationFile
from services.identity.names import compare
from services.identity.numbers import check_number
from services.identity.rule_values import RuleValues
from services.identity.verification import Beside, Finding, Register, verify
from shared.database import kept
from shared.events.base import Event
from shared.events.identity import (
    OperatorDeregistered,
    OperatorLinked,
    OperatorRejected,
    OperatorUnverified,
    OperatorVerified,
)
from shared.events.platform import OperatorDeregistered as Deregistration
from shared.identifiers import account_id, operator_id
from shared.received import Received


class UnknownAccount(ValueError):
    """A platform ended an account that it never registered."""


async def record(session: AsyncSession, one: Received) -> list[Event]:
    """Add a version to an account's file, check it and link it; return what is to be published."""
    platform_id = one.platform_id
    account = await session.get(Account, account_id(platform_id, one.event.operator_ref))
    register = await registry.register_of(session, one.event, one.time.date())
    operator, is_new = await _ensure_operator(session, platform_id, one.event, is_registered=register.has_number)
    twice = not is_new and await _is_claimed_by_another(session, operator, one)
    finding = await _judge(session, one, register, is_claimed_twice=twice)
    version = account.version + 1 if account is not None else 1
    previous = account.operator_id if account is not None else None
    stored = Account(
        id=account_id(platform_id, one.event.operator_ref),
        platform_id=platform_id,
        operator_ref=one.event.operator_ref,
        operator_id=operator,
        version=version,
        state="active",
        verdict=finding.verdict,
        reasons=finding.reasons,
        updated_at=one.time,
    )
    await session.merge(stored)
    session.add(_file(stored, one, msgspec.to_builtins(one.event)))
    events: list[Event] = []
    if previous != operator:
        await _link(session, stored, one, previous)
        events.append(_linked(stored, one, previous))
    events.append(_found(stored, one, finding))
    if previous is not None:
        await reverification.settle(session, stored, at=one.time, by=one.id)
    await reverification.begin(session, stored, one.event.jurisdiction.upper(), at=one.time)
    return events


async def end(session: AsyncSession, one: Received) -> list[Event]:
    """Mark an account as ended and keep the file; return what is to be published. Raises UnknownAccount."""
    event: Deregistration = one.event
    platform_id = one.platform_id
    account = await session.get(Account, account_id(platform_id, event.operator_ref))
    if account is None:
        raise UnknownAccount(f"{platform_id} never registered {event.operator_ref!r}")
    account.version += 1
    account.state = "banned" if event.reason == "banned" else "deregistered"
    account.updated_at = one.time
    before = await session.get(RegistrationFile, (account.id, account.version - 1))
    session.add(_file(account, one, before.content if before is not None else {}))
    await reverification.settle(session, account, at=one.time, by=one.id)
    ended = OperatorDeregistered(
        occurred_at=one.time,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=platform_id,
        operator_ref=event.operator_ref,
        version=account.version,
        reason=event.reason,
    )
    return [ended]


async def _judge(session: AsyncSession, one: Received, register: Register, *, is_claimed_twice: bool) -> Finding:
    """Return what a file is worth by the values of its own day, so that an old one is judged as then."""
    values, on = kept(session, RuleValues), one.time.date()
    await values.refresh(session)
    beside = Beside(register, await registry.customs_of(session, one.event, on), is_claimed_twice)
    return verify(one.event, on=on, values=values.on(on, one.event.jurisdiction.upper()), beside=beside)


async def _is_claimed_by_another(session: AsyncSession, operator: UUID, one: Received) -> bool:
    """Tell whether another account states the same number with a name that is not even near."""
    own = account_id(one.platform_id, one.event.operator_ref)
    claims = (
        select(RegistrationFile.content["legal_name"].astext)
        .join(Account, (Account.id == RegistrationFile.account_id) & (Account.version == RegistrationFile.version))
        .where(Account.operator_id == operator, Account.id != own, Account.state == "active")
    )
    near = await registry.near_from(session, one.event.jurisdiction.upper(), one.time.date())
    names = (await session.execute(claims)).scalars()
    return any(compare(name or "", one.event.legal_name, near_from=near).likeness == "other" for name in names)


async def _ensure_operator(
    session: AsyncSession, platform_id: str, file: File, *, is_registered: bool
) -> tuple[UUID, bool]:
    """Return the legal entity a file names, and whether it is new.

    An account without a checkable number is an entity of its own.
    """
    registration = file.registration
    number = None
    if registration is not None:
        check = check_number(file.jurisdiction, registration.scheme, registration.number)
        number = check.compact if check.code is None or is_registered else None
    if registration is None or number is None:
        identifier = account_id(platform_id, file.operator_ref)
    else:
        identifier = operator_id(file.jurisdiction.upper(), registration.scheme.lower(), number)
    statement = insert(Operator).values(
        id=identifier,
        jurisdiction=file.jurisdiction.upper(),
        scheme=registration.scheme.lower() if registration is not None and number is not None else None,
        number=number,
    )
    added = await session.execute(statement.on_conflict_do_nothing().returning(Operator.id))
    return identifier, added.scalar_one_or_none() is not None


async def _link(session: AsyncSession, account: Account, one: Received, previous: UUID | None) -> None:
    if previous is not None:
        open_link = update(AccountLink).where(
            AccountLink.account_id == account.id,
            AccountLink.linked_to.is_(None),
            AccountLink.linked_from < one.time,
        )
        await session.execute(open_link.values(linked_to=one.time), execution_options={"synchronize_session": False})
    statement = insert(AccountLink).values(
        account_id=account.id,
        linked_from=one.time,
        operator_id=account.operator_id,
        platform_id=account.platform_id,
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[AccountLink.account_id, AccountLink.linked_from],
            set_={"operator_id": statement.excluded.operator_id},
        )
    )


def _file(account: Account, one: Received, content: dict[str, object]) -> RegistrationFile:
    return RegistrationFile(
        account_id=account.id,
        version=account.version,
        platform_id=account.platform_id,
        operator_id=account.operator_id,
        event_id=one.id,
        event_type=one.type,
        content=content,
        state=account.state,
        verdict=account.verdict,
        reasons=account.reasons,
        stated_at=one.time,
    )


def _linked(account: Account, one: Received, previous: UUID | None) -> OperatorLinked:
    return OperatorLinked(
        occurred_at=one.time,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=account.platform_id,
        operator_ref=account.operator_ref,
        version=account.version,
        linked_from=one.time,
        previous_operator_id=previous,
    )


def _found(account: Account, one: Received, finding: Finding) -> Event:
    about = {
        "occurred_at": one.time,
        "account_id": account.id,
        "operator_id": account.operator_id,
        "platform_id": account.platform_id,
        "operator_ref": account.operator_ref,
        "version": account.version,
        "jurisdiction": one.event.jurisdiction.upper(),
        "entity_type": one.event.entity_type,
    }
    if finding.verdict == "verified":
        return OperatorVerified(**about)
    kind = OperatorRejected if finding.verdict == "rejected" else OperatorUnverified
    return kind(**about, reasons=finding.reasons)
