"""Reads of personal data: a purpose is named and written down before anything is opened."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.models import NEWEST_FILE, Account, RegistrationFile
from services.identity.personal_tables import PersonalRead, Purpose
from services.identity.vault import Vault
from shared.clock import utc_now
from shared.errors import Forbidden, NotFound
from shared.identifiers import account_id, new_id
from shared.paging import Cursor, paged
from shared.received import Received


class PurposeRefused(Forbidden):
    """The purpose is not one of the caller's on that day."""


class NobodyToRead(NotFound):
    """The operator holds no account."""


class Reader(NamedTuple):
    """Who reads: a role and a name."""

    role: str
    name: str


WORKER = Reader("system", "identity worker")


class Asked(NamedTuple):
    """What is to be read, what for, and why now."""

    purpose: str
    reason: str
    fields: Sequence[str]


class Sealed(NamedTuple):
    """The personal data of one account as it is stored."""

    account: Account
    tokens: dict[str, str]


async def permit(session: AsyncSession, reader: Reader, purpose: str, *, at: datetime) -> Purpose:
    """Return the purpose as it is in force. Raises PurposeRefused where it is none, or none of the reader's."""
    day = at.date()
    statement = select(Purpose).where(
        Purpose.code == purpose,
        Purpose.valid_from <= day,
        Purpose.valid_to.is_(None) | (Purpose.valid_to > day),
    )
    found = (await session.execute(statement)).scalars().first()
    if found is None or reader.role not in found.roles:
        raise PurposeRefused(f"{purpose!r} is no purpose that a {reader.role} reads personal data for on {day}")
    return found


def note(
    session: AsyncSession, reader: Reader, asked: Asked, accounts: Collection[UUID], *, at: datetime
) -> PersonalRead:
    """Write down that accounts' personal data is going to be read."""
    read = PersonalRead(
        id=new_id(),
        read_at=at,
        role=reader.role,
        reader=reader.name,
        purpose=asked.purpose,
        reason=asked.reason,
        accounts=sorted(accounts),
        fields=sorted(asked.fields),
    )
    session.add(read)
    return read


def note_verification(session: AsyncSession, received: Sequence[Received]) -> None:
    """Write down that registration files are opened to be checked, in the transaction that checks them."""
    sealed = [one for one in received if getattr(one.event, "sealed", None)]
    if not sealed:
        return
    accounts = {account_id(one.platform_id, one.event.operator_ref) for one in sealed}
    fields = sorted({name for one in sealed for name in one.event.sealed})
    note(session, WORKER, Asked("verification", "files that came", fields), accounts, at=utc_now())


async def sealed_of(session: AsyncSession, operator_id: UUID, fields: Collection[str]) -> list[Sealed]:
    """Return what is stored of an operator's accounts in their newest files. Raises NobodyToRead."""
    statement = (
        select(Account, RegistrationFile)
        .join(
            RegistrationFile,
            NEWEST_FILE,
        )
        .where(Account.operator_id == operator_id)
        .order_by(Account.id)
    )
    rows = (await session.execute(statement)).all()
    if not rows:
        raise NobodyToRead(f"no operator {operator_id}")
    return [
        Sealed(account, {name: token for name, token in file.content.get("sealed", {}).items() if name in fields})
        for account, file in rows
    ]


async def opened(vault: Vault, sealed: Sequence[Sealed]) -> list[dict[str, Any]]:
    """Return accounts with their personal data by field; what cannot be opened any more is named."""
    found = []
    for one in sealed:
        texts = await vault.texts(one.account.id, one.tokens)
        found.append(
            {
                "account_id": one.account.id,
                "platform_id": one.account.platform_id,
                "operator_ref": one.account.operator_ref,
                "fields": texts,
                "destroyed": sorted(one.tokens.keys() - texts.keys()),
            }
        )
    return found


async def reads(
    session: AsyncSession, *, account: UUID | None, after: Cursor | None, limit: int
) -> tuple[list[PersonalRead], str | None]:
    """Return a page of reads, the newest first, and the cursor of the next."""
    statement = select(PersonalRead).order_by(PersonalRead.read_at.desc(), PersonalRead.id.desc()).limit(limit + 1)
    if account is not None:
        statement = statement.where(PersonalRead.accounts.contains([account]))
    if after is not None:
        statement = statement.where(tuple_(PersonalRead.read_at, PersonalRead.id) < (after.at, after.id))
    rows = (await session.execute(statement)).scalars().all()
    return paged(rows, limit, lambda row: Cursor(row.read_at, row.id))
