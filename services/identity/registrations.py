"""Registration files: every version kept, checked, and linked to the legal entity they name."""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import badges, verification
from services.identity.blind import BlindIndex
from services.identity.models import Account, AccountLink, Operator, RegistrationFile
from services.identity.personal import blind_number, is_natural_person
from services.identity.rule_values import RuleValues
from services.identity.verification import File, Finding
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


async def record(session: AsyncSession, blind: BlindIndex, one: Received, sealed: File) -> list[Event]:
    """Add a version to an account's file, check it and link it; return what is to be published.

    What is kept is the file as it is `sealed`.
    """
    platform_id = one.platform_id
    account = await session.get(Account, account_id(platform_id, one.event.operator_ref))
    values = kept(session, RuleValues)
    await values.refresh(session)
    required = values.asks("licence.required", on=one.time.date(), jurisdiction=one.event.jurisdiction.upper())
    finding = verification.verify(one.event, on=one.time.date(), licence_required=required)
    operator = await _ensure_operator(session, blind, platform_id, one.event)
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
    content = msgspec.to_builtins(sealed)
    events = await _end_badges(session, account, stored, content) if account is not None else []
    await session.merge(stored)
    session.add(_file(stored, one, content))
    if previous != operator:
        await _link(session, stored, one, previous)
        events.append(_linked(stored, one, previous))
    events.append(_found(stored, one, finding))
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
    revoked = await badges.revoke_of(session, account, f"account {account.state}", at=one.time)
    before = await session.get(RegistrationFile, (account.id, account.version - 1))
    session.add(_file(account, one, before.content if before is not None else {}))
    ended = OperatorDeregistered(
        occurred_at=one.time,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=platform_id,
        operator_ref=event.operator_ref,
        version=account.version,
        reason=event.reason,
    )
    return [*revoked, ended]


async def _end_badges(session: AsyncSession, before: Account, after: Account, content: dict[str, Any]) -> list[Event]:
    """Revoke the badges of an account whose new file they do not speak for, and return what is to be published."""
    if after.verdict != "verified":
        return await badges.revoke_of(session, before, "no longer verified", at=after.updated_at)
    file = await session.get(RegistrationFile, (before.id, before.version))
    old = file.content if file is not None else {}
    if before.operator_id != after.operator_id or any(old.get(name) != content.get(name) for name in _ON_BADGES):
        return await badges.revoke_of(session, before, "file changed", at=after.updated_at)
    return []


def legal_entity(blind: BlindIndex, platform_id: str, file: File) -> Entity:
    """Return the legal entity a file names; an account without a checkable number is an entity of its own."""
    registration = file.registration
    if registration is not None:
        check = verification.check_number(file.jurisdiction, registration.scheme, registration.number)
        if check.code is None:
            jurisdiction, scheme, number = file.jurisdiction.upper(), registration.scheme.lower(), check.compact
            if is_natural_person(file):
                # Personal: its blind form stands for it, and it is not kept.
                return Entity(operator_id(jurisdiction, scheme, blind_number(blind, scheme, number)), scheme, None)
            return Entity(operator_id(jurisdiction, scheme, number), scheme, number)
    return Entity(account_id(platform_id, file.operator_ref), None, None)


async def _ensure_operator(session: AsyncSession, blind: BlindIndex, platform_id: str, file: File) -> UUID:
    entity = legal_entity(blind, platform_id, file)
    statement = insert(Operator).values(
        id=entity.id,
        jurisdiction=file.jurisdiction.upper(),
        scheme=entity.scheme,
        number=entity.number,
    )
    await session.execute(statement.on_conflict_do_nothing())
    return entity.id


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
