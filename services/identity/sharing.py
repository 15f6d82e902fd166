"""What is handed in once is shared with departments: each sees, signed, what a dated rule lets it see, and no more.

A request for files that somebody was given before is a duplicate: without this register the operator would have been
asked again. What is personal is opened for a purpose only, and written down before.
"""

import hashlib
from collections.abc import Collection
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import badge_keys, personal_reads, signed_texts
from services.identity.models import NEWEST_FILE, Account, Operator, RegistrationFile
from services.identity.personal import FIELDS as PERSONAL
from services.identity.personal import HIDDEN
from services.identity.personal_reads import Asked, NobodyToRead, Reader
from services.identity.sharing_tables import ProjectionField, SharedProjection
from services.identity.signed_texts import Forged
from services.identity.vault import Vault
from shared.auth import Role
from shared.database import Sessions, transaction
from shared.events.platform import OperatorRegistered
from shared.identifiers import new_id

KIND = "crosswatch-projection+jws"
# Of an operator with hundreds of accounts.
_LONGEST = 4_000_000
DEPARTMENTS = {Role.REGULATOR: "regulator", Role.INSPECTOR: "regulator", Role.CUSTOMS: "customs", Role.TAX: "tax"}
_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('identity.sharing'), hashtext(:operator))")
_encode = msgspec.json.Encoder().encode


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One account as a department sees it; `withheld` is personal and was asked for without a purpose, or is gone."""

    account_id: UUID
    platform_id: str
    operator_ref: str
    version: int
    state: str
    verdict: str
    reasons: list[str]
    file: dict[str, Any]
    personal: dict[str, str]
    withheld: list[str]


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """What a department is given of an operator."""

    id: UUID
    department: str
    operator_id: UUID
    jurisdiction: str
    scheme: str | None
    number: str | None
    files: str
    purpose: str | None
    issued_to: str
    issued_at: datetime
    accounts: list[Shown]


class Question(NamedTuple):
    """Whom a department asks about, what for where it wants personal data, and which files it has already."""

    operator_id: UUID
    department: str
    purpose: str | None
    reason: str | None
    known: str | None


class _Found(NamedTuple):
    operator: Operator
    rows: list[tuple[Account, RegistrationFile]]
    fields: frozenset[str]
    files: str


_read = msgspec.json.Decoder(Projection).decode


async def share(
    sessions: Sessions, vault: Vault, asked: Question, reader: Reader, now: datetime
) -> tuple[SharedProjection, str | None]:
    """Return a signed projection, or nothing where the department has it. Raises NobodyToRead, PurposeRefused."""
    async with transaction(sessions) as session:
        found = await _find(session, asked, now.date())
        row = await _count(session, found, asked, reader, now)
        if row.is_unchanged:
            return row, None
        if asked.purpose is not None:
            await personal_reads.permit(session, reader, asked.purpose, at=now)
            opened = Asked(asked.purpose, asked.reason or "", sorted(found.fields & set(PERSONAL)))
            personal_reads.note(session, reader, opened, [account.id for account, _ in found.rows], at=now)
    # Only now that it is committed.
    shown = [await _shown(vault, one, found.fields, opens=asked.purpose is not None) for one in found.rows]
    projection = Projection(
        id=row.id,
        department=asked.department,
        operator_id=found.operator.id,
        jurisdiction=found.operator.jurisdiction,
        scheme=found.operator.scheme,
        number=found.operator.number,
        files=found.files,
        purpose=asked.purpose,
        issued_to=reader.name,
        issued_at=now,
        accounts=shown,
    )
    async with transaction(sessions) as session:
        key = await badge_keys.signing_key(session, vault.masters, now=now)
    return row, signed_texts.signed(_encode(projection), KIND, key)


async def read(session: AsyncSession, token: str) -> Projection:
    """Return what a projection says once its signature holds. Raises Forged."""
    keys = await badge_keys.verifying_keys(session)
    try:
        return _read(signed_texts.payload_of(token, KIND, keys, longest=_LONGEST))
    except msgspec.MsgspecError as error:
        raise Forged("it is signed, and says what no projection says") from error


async def fields_of(session: AsyncSession, department: str, on: date) -> list[ProjectionField]:
    """Return what a department may see on a day, with the legal basis of each."""
    own = select(ProjectionField).where(
        ProjectionField.department == department,
        ProjectionField.valid_from <= on,
        ProjectionField.valid_to.is_(None) | (ProjectionField.valid_to > on),
    )
    return list((await session.execute(own.order_by(ProjectionField.field))).scalars())


async def meter(session: AsyncSession, since: datetime, until: datetime) -> dict[str, Any]:
    """Count what was handed in and what was asked for in a time, and how often operators were not asked again."""
    one = SharedProjection
    counted = (
        select(
            one.department,
            func.count(),
            func.count().filter(one.is_duplicate),
            func.count().filter(one.is_unchanged),
        )
        .where(one.asked_at >= since, one.asked_at < until)
        .group_by(one.department)
        .order_by(one.department)
    )
    rows = (await session.execute(counted)).all()
    submitted = select(func.count()).where(
        RegistrationFile.recorded_at >= since,
        RegistrationFile.recorded_at < until,
        RegistrationFile.event_type.like("platform.%"),
    )
    names = ("department", "requests", "duplicates", "unchanged")
    return {
        "submissions": (await session.execute(submitted)).scalar_one(),
        "requests": sum(row[1] for row in rows),
        "duplicates_avoided": sum(row[2] for row in rows),
        "departments": [dict(zip(names, row, strict=True)) for row in rows],
    }


async def counts(session: AsyncSession) -> dict[str, int]:
    """Count what departments asked for, and how much of it had been given out before."""
    counted = select(func.count(), func.count().filter(SharedProjection.is_duplicate)).select_from(SharedProjection)
    requests, duplicates = (await session.execute(counted)).one()
    return {"requests": requests, "duplicates_avoided": duplicates}


async def _find(session: AsyncSession, asked: Question, on: date) -> _Found:
    operator = await session.get(Operator, asked.operator_id)
    newest = (
        select(Account, RegistrationFile)
        .join(
            RegistrationFile,
            NEWEST_FILE,
        )
        .where(Account.operator_id == asked.operator_id)
        .order_by(Account.id)
    )
    rows = [(account, file) for account, file in await session.execute(newest)]
    if operator is None or not rows:
        raise NobodyToRead(f"no operator {asked.operator_id}")
    fields = frozenset(own.field for own in await fields_of(session, asked.department, on))
    versions = "\n".join(f"{account.id} {account.version}" for account, _ in rows)
    return _Found(operator, rows, fields, hashlib.sha256(versions.encode()).hexdigest()[:32])


async def _count(
    session: AsyncSession, found: _Found, asked: Question, reader: Reader, now: datetime
) -> SharedProjection:
    await session.execute(_ALONE, {"operator": str(asked.operator_id)})
    before = select(SharedProjection.id).where(
        SharedProjection.operator_id == asked.operator_id, SharedProjection.files == found.files
    )
    is_known = (await session.execute(before.limit(1))).scalar_one_or_none() is not None
    row = SharedProjection(
        id=new_id(),
        department=asked.department,
        operator_id=asked.operator_id,
        files=found.files,
        asked_at=now,
        asked_by=reader.name,
        is_duplicate=is_known,
        is_unchanged=asked.known == found.files,
    )
    session.add(row)
    return row


async def _shown(vault: Vault, one: tuple[Account, RegistrationFile], fields: Collection[str], *, opens: bool) -> Shown:
    account, file = one
    sealed = {name: token for name, token in file.content.get("sealed", {}).items() if name in fields}
    texts = await vault.texts(account.id, sealed) if opens and sealed else {}
    return Shown(
        account_id=account.id,
        platform_id=account.platform_id,
        operator_ref=account.operator_ref,
        version=account.version,
        state=account.state,
        verdict=account.verdict,
        reasons=account.reasons,
        file=_clear(file.content, fields),
        personal=texts,
        withheld=sorted(sealed.keys() - texts.keys()),
    )


def _clear(content: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """Return what of a file is not personal and may be seen; what it left out has the value that stands for that."""
    if not content:
        return {}
    file = msgspec.convert(content, OperatorRegistered)
    stated = {name: getattr(file, name) for name in file.__struct_fields__ if name in fields}
    hidden = {name for name, value in stated.items() if name in PERSONAL and value in (HIDDEN, None, [])}
    return {name: msgspec.to_builtins(value) for name, value in stated.items() if name not in hidden}
