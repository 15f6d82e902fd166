"""What changed in a file from one version to the next, told by the names of fields and never by what they say."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.blind import BlindIndex
from services.identity.change_tables import FileDigest
from services.identity.conditions import File
from shared.events.base import Event
from shared.events.identity import FileChanged
from shared.events.platform import OperatorDeregistered
from shared.identifiers import account_id
from shared.received import Received

# Of the blind index: fields of files.
_FIELD = -3
_BYTES = 8
# Whose file it is, and what the door put there.
_LEFT_OUT = frozenset({"operator_ref", "sealed"})
_canonical = msgspec.json.Encoder(order="deterministic").encode


async def record(
    session: AsyncSession, blind: BlindIndex, opened: Sequence[Received], owners: Sequence[UUID]
) -> list[list[Event]]:
    """Keep what files say now, and return for each event which fields of its account are others than before.

    A file that comes again after its account ended is compared with the one before too.
    """
    accounts = {account_id(one.platform_id, one.event.operator_ref) for one in opened}
    found = select(FileDigest.account_id, FileDigest.digests).where(FileDigest.account_id.in_(accounts))
    known: dict[UUID, Mapping[str, str]] = {account: digests for account, digests in await session.execute(found)}
    stored = dict(known)
    events: list[list[Event]] = []
    for one, owner in zip(opened, owners, strict=True):
        events.append([])
        if isinstance(one.event, OperatorDeregistered):
            continue
        account = account_id(one.platform_id, one.event.operator_ref)
        before, now = known.get(account), digests_of(blind, account, one.event)
        known[account] = now
        if before is not None and (fields := sorted(name for name in now if now[name] != before.get(name))):
            events[-1].append(_changed(one, account, owner, fields))
    await _store(session, {account: own for account, own in known.items() if own != stored.get(account)})
    return events


def digests_of(blind: BlindIndex, account: UUID, file: File) -> dict[str, str]:
    """Return a keyed hash for each field of a file, another for each account; contacts one by one."""
    said: dict[str, Any] = {name: getattr(file, name) for name in file.__struct_fields__ if name not in _LEFT_OUT}
    contacts = said.pop("contacts")
    for name in ("address", "phone", "email"):
        said[f"contacts.{name}"] = getattr(contacts, name, None)
    return {name: _digest(blind, account, name, value) for name, value in said.items()}


def _digest(blind: BlindIndex, account: UUID, name: str, value: object) -> str:
    return blind.value(_FIELD, f"{account}/{name}/{_canonical(value).decode()}")[:_BYTES].hex()


async def _store(session: AsyncSession, digests: Mapping[UUID, Mapping[str, str]]) -> None:
    if not digests:
        return
    rows = [{"account_id": account, "digests": dict(own)} for account, own in sorted(digests.items())]
    statement = insert(FileDigest)
    replaced = {"digests": statement.excluded.digests}
    await session.execute(statement.on_conflict_do_update(index_elements=[FileDigest.account_id], set_=replaced), rows)


def _changed(one: Received, account: UUID, owner: UUID, fields: list[str]) -> FileChanged:
    return FileChanged(
        occurred_at=one.time,
        account_id=account,
        operator_id=owner,
        platform_id=one.platform_id,
        operator_ref=one.event.operator_ref,
        fields=fields,
    )
