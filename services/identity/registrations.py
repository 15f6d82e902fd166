"""Registration files: every version kept, checked, and linked to the legal entity they name."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import badges, registry, retention, reverification
from services.identity.blind import BlindIndex
from services.identity.conditions import File
from services.identity.models import Account, AccountLink, Operator, RegistrationFile
from services.identity.name_likeness import compare
from services.identity.numbers import check_number
from services.identity.personal import HIDDEN, blind_number, is_natural_person
from services.identity.rule_values import RuleValues
from services.identity.search_store import Found, found
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

# What a badge says of a file.
_ON_BADGES = ("legal_name", "entity_type", "registration", "licence", "shop_urls")


class UnknownAccount(ValueError):
    """A platform ended an account that it never registered."""


class Entity(NamedTuple):
    """A legal entity, and the number of a register it is known by."""

    id: UUID
    scheme: str | None
    number: str | None


class Recorded(NamedTuple):
    """Which legal entity an account belongs to after an event, and what is to be published."""

    operator_id: UUID
    events: list[Event]
    found_by: Found | None = None


async def record(session: AsyncSession, blind: BlindIndex, one: Received, sealed: File) -> Recorded:
    """Add a version to an account's file, check it and link it. What is kept is the file as it is `sealed`."""
    platform_id = one.platform_id
    account = await session.get(Account, account_id(platform_id, one.event.operator_ref))
    register = await registry.register_of(session, one.event, one.time.date())
    entity = legal_entity(blind, platform_id, one.event, is_registered=register.has_number)
    twice = not await _is_new(session, entity, one.event) and await _is_claimed_by_another(session, entity.id, one)
    finding = await _judge(session, one, register, is_claimed_twice=twice)
    previous = account.operator_id if account is not None else None
    stored = Account(
        id=account_id(platform_id, one.event.operator_ref),
        platform_id=platform_id,
        operator_ref=one.event.operator_ref,
        operator_id=entity.id,
        version=account.version + 1 if account is not None else 1,
        state="active",
        verdict=finding.verdict,
        reasons=finding.reasons,
        updated_at=one.time,
    )
    content = msgspec.to_builtins(sealed)
    events = await _end_badges(session, account, stored, content) if account is not None else []
    await session.merge(stored)
    session.add(_file(stored, one, content))
    if previous != entity.id:
        await _link(session, stored, one, previous)
        events.append(_linked(stored, one, previous))
    events.append(_found(stored, one, finding))
    if previous is not None:
        await reverification.settle(session, stored, at=one.time, by=one.id)
        await retention.stop(session, stored, at=one.time, by=one.id)
    await reverification.begin(session, stored, one.event.jurisdiction.upper(), at=one.time)
    return Recorded(entity.id, events, _found_by(stored, one, register))


def _found_by(account: Account, one: Received, register: Register) -> Found:
    file: File = one.event
    own = Found(
        account_id=account.id,
        platform_id=account.platform_id,
        operator_id=account.operator_id,
        jurisdiction=file.jurisdiction.upper(),
        entity_kind="",
        registered_at=one.time,
        name=file.legal_name,
        registered_name=register.name,
    )
    return found(own, file.entity_type)


async def end(session: AsyncSession, one: Received) -> Recorded:
    """Mark an account as ended and keep the file. Raises UnknownAccount."""
    event: Deregistration = one.event
    platform_id = one.platform_id
    account = await session.get(Account, account_id(platform_id, event.operator_ref))
    if account is None:
        raise UnknownAccount(f"{platform_id} never registered {event.operator_ref!r}")
    account.version += 1
    account.state = "banned" if event.reason == "banned" else "deregistered"
    account.updated_at = one.time
    revoked = await badges.revoke_of(session, account, f"account {account.state}", at=one.time)
    before = await session.get(RegistrationFile, (account.id, account.version - 1))
    session.add(_file(account, one, before.content if before is not None else {}))
    await reverification.settle(session, account, at=one.time, by=one.id)
    await retention.begin(session, account, at=one.time)
    ended = OperatorDeregistered(
        occurred_at=one.time,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=platform_id,
        operator_ref=event.operator_ref,
        version=account.version,
        reason=event.reason,
    )
    return Recorded(account.operator_id, [*revoked, ended])


async def _end_badges(session: AsyncSession, before: Account, after: Account, content: dict[str, Any]) -> list[Event]:
    """Revoke the badges of an account whose new file they do not speak for, and return what is to be published."""
    if after.verdict != "verified":
        return await badges.revoke_of(session, before, "no longer verified", at=after.updated_at)
    file = await session.get(RegistrationFile, (before.id, before.version))
    old = file.content if file is not None else {}
    if before.operator_id != after.operator_id or any(old.get(name) != content.get(name) for name in _ON_BADGES):
        return await badges.revoke_of(session, before, "file changed", at=after.updated_at)
    return []


async def _judge(session: AsyncSession, one: Received, register: Register, *, is_claimed_twice: bool) -> Finding:
    """Return what a file is worth by the values of its own day, so that an old one is judged as then."""
    values, on = kept(session, RuleValues), one.time.date()
    await values.refresh(session)
    beside = Beside(register, await registry.customs_of(session, one.event, on), is_claimed_twice)
    return verify(one.event, on=on, values=values.on(on, one.event.jurisdiction.upper()), beside=beside)


async def _is_claimed_by_another(session: AsyncSession, operator: UUID, one: Received) -> bool:
    """Tell whether another account states the same number with a name that is not even near.

    Names of natural persons are sealed, and not compared.
    """
    own, name = account_id(one.platform_id, one.event.operator_ref), RegistrationFile.content["legal_name"].astext
    claims = (
        select(name)
        .join(Account, (Account.id == RegistrationFile.account_id) & (Account.version == RegistrationFile.version))
        .where(Account.operator_id == operator, Account.id != own, Account.state == "active", name != HIDDEN)
    )
    near = await registry.near_from(session, one.event.jurisdiction.upper(), one.time.date())
    names = (await session.execute(claims)).scalars()
    return any(compare(stated or "", one.event.legal_name, near_from=near).likeness == "other" for stated in names)


def legal_entity(blind: BlindIndex, platform_id: str, file: File, *, is_registered: bool) -> Entity:
    """Return the legal entity a file names; an account without a checkable number is an entity of its own.

    A number that its register has is one, whatever its check digit says.
    """
    registration = file.registration
    if registration is not None:
        check = check_number(file.jurisdiction, registration.scheme, registration.number)
        if check.code is None or is_registered:
            jurisdiction, scheme, number = file.jurisdiction.upper(), registration.scheme.lower(), check.compact
            if is_natural_person(file):
                # Personal: its blind form stands for it, and it is not kept.
                return Entity(operator_id(jurisdiction, scheme, blind_number(blind, scheme, number)), scheme, None)
            return Entity(operator_id(jurisdiction, scheme, number), scheme, number)
    return Entity(account_id(platform_id, file.operator_ref), None, None)


async def _is_new(session: AsyncSession, entity: Entity, file: File) -> bool:
    """Keep the legal entity, and tell whether nobody named it before."""
    jurisdiction = file.jurisdiction.upper()
    stated = insert(Operator).values(
        id=entity.id, jurisdiction=jurisdiction, scheme=entity.scheme, number=entity.number
    )
    added = await session.execute(stated.on_conflict_do_nothing().returning(Operator.id))
    return added.scalar_one_or_none() is not None


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
