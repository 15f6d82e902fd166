"""What changed in a file from one version to the next, told by the names of fields and never by what they say."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.blind import BlindIndex
from services.identity.conditions import File
from services.identity.registrations import Step
from shared.database import Executes, columns, driver, text_array
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
_KNOWN = "SELECT account_id, digests::text AS digests FROM file_digests WHERE account_id = ANY ($1::uuid[])"
_PUT = """
    INSERT INTO file_digests (account_id, digests)
    SELECT a, d::jsonb FROM unnest($1::uuid[], $2::text::text[]) AS x (a, d)
    ON CONFLICT (account_id) DO UPDATE SET digests = excluded.digests
"""
_canonical = msgspec.json.Encoder(order="deterministic").encode
_encode = msgspec.json.Encoder().encode
_digests = msgspec.json.Decoder(dict[str, str]).decode


Digests: TypeAlias = Mapping[str, str]


class Files(NamedTuple):
    """What the newest files of accounts say, and what those of a batch do."""

    known: Mapping[UUID, Digests]
    stated: Sequence[Digests | None]


def stated(blind: BlindIndex, opened: Sequence[Received]) -> list[Digests | None]:
    """Return what files say in the form by which changes are told; nothing of ends of accounts."""
    return [
        None
        if isinstance(one.event, OperatorDeregistered)
        else digests_of(blind, account_id(one.platform_id, one.event.operator_ref), one.event)
        for one in opened
    ]


async def known(session: AsyncSession, accounts: Collection[UUID]) -> dict[UUID, Digests]:
    """Return what the newest files of accounts say."""
    rows = await (await driver(session)).fetch(_KNOWN, list(accounts))
    return {row["account_id"]: _digests(row["digests"]) for row in rows}


async def record(
    connection: Executes, batch: Sequence[Step], owners: Sequence[UUID], files: Files
) -> list[list[Event]]:
    """Keep what files say now, and return for each event which fields of its account are others than before.

    A file that comes again after its account ended is compared with the one before too.
    """
    newest = dict(files.known)
    events: list[list[Event]] = []
    for step, owner, now in zip(batch, owners, files.stated, strict=True):
        events.append([])
        if now is None:
            continue
        before = newest.get(step.account_id)
        newest[step.account_id] = now
        if before is not None and (fields := sorted(name for name in now if now[name] != before.get(name))):
            events[-1].append(_changed(step, owner, fields))
    await _store(connection, {one: own for one, own in newest.items() if own != files.known.get(one)})
    return events


def digests_of(blind: BlindIndex, account: UUID, file: File) -> dict[str, str]:
    """Return a keyed hash for each field of a file, another for each account; contacts one by one."""
    said: dict[str, Any] = {name: getattr(file, name) for name in file.__struct_fields__ if name not in _LEFT_OUT}
    contacts = said.pop("contacts")
    for name in ("address", "phone", "email"):
        said[f"contacts.{name}"] = getattr(contacts, name, None)
    found = blind.of_parts(_FIELD, account.bytes, {name: _canonical(value) for name, value in said.items()})
    return {name: digest[:_BYTES].hex() for name, digest in found.items()}


async def _store(connection: Executes, digests: Mapping[UUID, Digests]) -> None:
    if not digests:
        return
    rows = [(account, _encode(own).decode()) for account, own in sorted(digests.items())]
    await connection.execute(_PUT, *columns(rows, list, text_array))


def _changed(step: Step, owner: UUID, fields: list[str]) -> FileChanged:
    return FileChanged(
        occurred_at=step.at,
        account_id=step.account_id,
        operator_id=owner,
        platform_id=step.platform_id,
        operator_ref=step.event.operator_ref,
        fields=fields,
    )
