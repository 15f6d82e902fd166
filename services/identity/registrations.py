"""Registration files: every version kept, checked, and linked to the legal entity they name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import registration_store, registry, retention, reverification, search_store
from services.identity.blind import BlindIndex
from services.identity.conditions import File
from services.identity.name_likeness import compare
from services.identity.numbers import check_number
from services.identity.personal import HIDDEN, blind_number, is_natural_person
from services.identity.registration_store import Book, Current, Entity
from services.identity.rule_values import RuleValues
from services.identity.search_spans import Searched
from services.identity.search_store import Found, found
from services.identity.verification import NO_REGISTER, Beside, Finding, Register, verify
from shared.database import Executes, kept
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
_CHECKS = (reverification.CHECK, reverification.DEADLINE)
_content = msgspec.json.Decoder(dict[str, Any]).decode


class UnknownAccount(ValueError):
    """A platform ended an account that it never registered."""


class Step(NamedTuple):
    """An event about an account, and of a file what is known of it before any other is looked at.

    `sealed` is the file as it is kept, in JSON; an end of an account has none, and names no entity.
    """

    event: Any  # a File or a Deregistration
    id: str
    type: str
    at: datetime
    platform_id: str
    account_id: UUID
    entity: Entity | None = None
    register: Register = NO_REGISTER
    customs: Register = NO_REGISTER
    legal_name: str = ""
    sealed: str = ""
    finding: Finding = Finding("unverified", [])
    searched: Searched | None = None


class Recorded(NamedTuple):
    """Which legal entity an account belongs to after an event, and what is to be published."""

    operator_id: UUID
    events: list[Event]


async def steps(
    session: AsyncSession, blind: BlindIndex, received: Sequence[Received], opened: Sequence[Received]
) -> list[Step]:
    """Return a batch as steps, once registers were asked. What is kept of a file is what was `received`: sealed."""
    bare = [_bare(one) for one in opened]
    files = [(step.event, step.at.date()) if isinstance(step.event, File) else None for step in bare]
    asked = [registry.asked_of_register(*one) if one is not None else None for one in files]
    asked += [registry.asked_of_customs(*one) if one is not None else None for one in files]
    answers = await registry.answers(session, asked)
    registers, customs = answers[: len(bare)], answers[len(bare) :]
    values = kept(session, RuleValues)
    await values.refresh(session)
    return [
        _of_file(step._replace(register=register, customs=of_customs), blind, values, sealed.event)
        if isinstance(step.event, File)
        else step
        for step, sealed, register, of_customs in zip(bare, received, registers, customs, strict=True)
    ]


def _of_file(step: Step, blind: BlindIndex, values: RuleValues, sealed: File) -> Step:
    entity = legal_entity(blind, step.platform_id, step.event, is_registered=step.register.has_number)
    return step._replace(
        entity=entity,
        legal_name=sealed.legal_name,
        sealed=msgspec.json.encode(sealed).decode(),
        finding=_judge(values, step, is_claimed_twice=False),
        searched=search_store.searched(_found_by(step, entity)),
    )


async def read(session: AsyncSession, batch: Sequence[Step]) -> Book:
    """Return what is known of the accounts of a batch, and of the legal entities that it names."""
    accounts = {step.account_id for step in batch}
    entities = {step.entity.id for step in batch if step.entity is not None}
    return await registration_store.read(session, accounts, entities)


async def record(
    writes: Executes, book: Book, values: RuleValues, batch: Sequence[Step]
) -> tuple[list[Recorded], list[Searched]]:
    """Add versions to accounts' files, check and link them, in order; tell also what accounts are found by now.

    A batch gives what its events would have given one after the other. Raises UnknownAccount.
    """
    recorded = [
        _record(book, values, step, step.entity) if step.entity is not None else _end(book, values, step)
        for step in batch
    ]
    await book.write(writes)
    return recorded, book.searched


def _bare(one: Received) -> Step:
    platform_id = one.platform_id
    return Step(one.event, one.id, one.type, one.time, platform_id, account_id(platform_id, one.event.operator_ref))


def _record(book: Book, values: RuleValues, step: Step, entity: Entity) -> Recorded:
    file: File = step.event
    before = book.accounts.get(step.account_id)
    jurisdiction = file.jurisdiction.upper()
    twice = not book.is_new(entity, jurisdiction) and _is_claimed_by_another(book, values, step, entity)
    finding = _judge(values, step, is_claimed_twice=True) if twice else step.finding
    after = Current(
        id=step.account_id,
        platform_id=step.platform_id,
        operator_ref=file.operator_ref,
        operator_id=entity.id,
        version=before.version + 1 if before is not None else 1,
        state="active",
        verdict=finding.verdict,
        reasons=finding.reasons,
        updated_at=step.at,
        content=step.sealed,
    )
    events: list[Event] = [*_end_badges(book, before, after)] if before is not None else []
    book.put(after, event_id=step.id, event_type=step.type, at=step.at)
    if step.legal_name != HIDDEN:
        book.claims[entity.id][after.id] = step.legal_name
    previous = before.operator_id if before is not None else None
    book.link(after, at=step.at)
    if previous != entity.id:
        events.append(_linked(after, step, previous))
    events.append(_found(after, step, finding))
    if before is not None:
        book.clocks.close(after.id, (*_CHECKS, retention.KIND), at=step.at, evidence=step.id)
    if (clock := reverification.begun(values, after, jurisdiction, at=step.at)) is not None:
        book.clocks.start(*clock)
    if step.searched is not None:
        book.searched.append(step.searched)
    return Recorded(entity.id, events)


def _end(book: Book, values: RuleValues, step: Step) -> Recorded:
    """Mark an account as ended and keep the file. Raises UnknownAccount."""
    event: Deregistration = step.event
    before = book.accounts.get(step.account_id)
    if before is None:
        raise UnknownAccount(f"{step.platform_id} never registered {event.operator_ref!r}")
    state = "banned" if event.reason == "banned" else "deregistered"
    account = msgspec.structs.replace(before, version=before.version + 1, state=state, updated_at=step.at)
    revoked = book.revoke_badges(account.id, f"account {state}", at=step.at)
    book.put(account, event_id=step.id, event_type=step.type, at=step.at)
    book.clocks.close(account.id, _CHECKS, at=step.at, evidence=step.id)
    if (clock := retention.begun(values, account, at=step.at)) is not None:
        book.clocks.start(*clock)
    ended = OperatorDeregistered(
        occurred_at=step.at,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=account.platform_id,
        operator_ref=event.operator_ref,
        version=account.version,
        reason=event.reason,
    )
    return Recorded(account.operator_id, [*revoked, ended])


def _end_badges(book: Book, before: Current, after: Current) -> Sequence[Event]:
    """Revoke the badges of an account whose new file they do not speak for, and return what is to be published."""
    if not book.badges.get(after.id):
        return []
    if after.verdict != "verified":
        return book.revoke_badges(after.id, "no longer verified", at=after.updated_at)
    old, new = _content(before.content), _content(after.content)
    if before.operator_id != after.operator_id or any(old.get(name) != new.get(name) for name in _ON_BADGES):
        return book.revoke_badges(after.id, "file changed", at=after.updated_at)
    return []


def _judge(values: RuleValues, step: Step, *, is_claimed_twice: bool) -> Finding:
    """Return what a file is worth by the values of its own day, so that an old one is judged as then."""
    on = step.at.date()
    beside = Beside(step.register, step.customs, is_claimed_twice)
    return verify(step.event, on=on, values=values.on(on, step.event.jurisdiction.upper()), beside=beside)


def _is_claimed_by_another(book: Book, values: RuleValues, step: Step, entity: Entity) -> bool:
    """Tell whether another account states the same number with a name that is not even near.

    Names of natural persons are sealed, and not compared.
    """
    names = [name for account, name in book.claims[entity.id].items() if account != step.account_id]
    if not names:
        return False
    near = values.apply(
        "registry.name_near", on=step.at.date(), jurisdiction=step.event.jurisdiction.upper()
    ).value.value
    return any(compare(name, step.event.legal_name, near_from=near).likeness == "other" for name in names)


def _found_by(step: Step, entity: Entity) -> Found:
    file: File = step.event
    own = Found(
        account_id=step.account_id,
        platform_id=step.platform_id,
        operator_id=entity.id,
        jurisdiction=file.jurisdiction.upper(),
        entity_kind="",
        registered_at=step.at,
        name=file.legal_name,
        registered_name=step.register.name,
    )
    return found(own, file.entity_type)


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


def _linked(account: Current, step: Step, previous: UUID | None) -> OperatorLinked:
    return OperatorLinked(
        occurred_at=step.at,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=account.platform_id,
        operator_ref=account.operator_ref,
        version=account.version,
        linked_from=step.at,
        previous_operator_id=previous,
    )


def _found(account: Current, step: Step, finding: Finding) -> Event:
    about = {
        "occurred_at": step.at,
        "account_id": account.id,
        "operator_id": account.operator_id,
        "platform_id": account.platform_id,
        "operator_ref": account.operator_ref,
        "version": account.version,
        "jurisdiction": step.event.jurisdiction.upper(),
        "entity_type": step.event.entity_type,
    }
    if finding.verdict == "verified":
        return OperatorVerified(**about)
    kind = OperatorRejected if finding.verdict == "rejected" else OperatorUnverified
    return kind(**about, reasons=finding.reasons)
