"""Purges: what the law no longer asks to keep of an ended account is destroyed, and a signed certificate says so.

The keys live in another database, so a purge has three steps, each of which may be taken again after a crash: it is
allowed and written down, the keys are destroyed, what was derived from the data goes and the certificate is signed.
"""

import asyncio
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import badge_keys, link_store, links, retention, search_store, signed_texts
from services.identity.models import Account
from services.identity.purge_tables import Purge
from services.identity.vault import Vault
from shared.clock import utc_now, wait
from shared.database import Sessions, driver, is_connection_error, transaction
from shared.errors import Conflict, NotFound
from shared.events.identity import OperatorPurged
from shared.identifiers import new_id
from shared.messaging import publish

log = structlog.get_logger(__name__)

KIND = "crosswatch-purge+jws"
_POLL_SECONDS = 5.0
_ENDED = frozenset({"deregistered", "banned"})
# A clock that ran out is so called once that was told; until then the time tells.
_RUN_OUT = frozenset({"running", "expired"})
# Blind values let others be recognised by what the account said; they go with it. Its links speak of it no more, and
# no name of before finds it.
_FORGET = (
    "DELETE FROM returned_accounts WHERE account_id = $1",
    "DELETE FROM shop_addresses WHERE account_id = $1",
    "DELETE FROM file_digests WHERE account_id = $1",
    *search_store.FORGET_BEFORE,
    """DELETE FROM operator_links l USING accounts a
       WHERE a.id = $1 AND a.operator_id IN (l.operator_id, l.other_operator_id)
           AND NOT EXISTS (SELECT FROM link_sketches s WHERE s.operator_id = a.operator_id)""",
)


class NotYet(Conflict):
    """The law asks to keep the file for longer, or the account has not ended."""


class AccountUnknown(NotFound):
    """No such account."""


class PurgeNotFound(NotFound):
    """No such purge."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says: whose keys were destroyed, when, and from when on that was allowed, by which article."""

    id: UUID
    account_id: UUID
    operator_id: UUID
    platform_id: str
    keys_destroyed: list[int]
    account_ended_at: datetime
    kept_until: datetime
    rule: str
    asked_by: str
    purged_at: datetime


class Asked(NamedTuple):
    """Whose data is to go, who asks, and when."""

    account_id: UUID
    by: str
    at: datetime


async def purge(sessions: Sessions, vault: Vault, asked: Asked) -> Purge:
    """Destroy an account's personal data for good. Raises AccountUnknown, NotYet."""
    async with transaction(sessions) as session:
        begun = await _begin(session, vault, asked)
    return await finish(sessions, vault, begun.id)


async def finish(sessions: Sessions, vault: Vault, purge_id: UUID) -> Purge:
    """Take the steps of a purge that was allowed, however far it came before."""
    async with transaction(sessions) as session:
        begun = await found(session, purge_id)
    if begun.certificate is not None:
        return begun
    # None that was made since: an account that its platform opened again has another.
    await vault.keys.destroy(begun.account_id, begun.generations, at=utc_now())
    async with transaction(sessions) as session:
        await links.take_turn(session)
        row = await session.get_one(Purge, purge_id, with_for_update=True)
        if row.certificate is None:
            await _certify(session, vault, row)
        return row


class Purging:
    """A worker's task that finishes purges which a crash broke off."""

    def __init__(self, sessions: Sessions, vault: Vault) -> None:
        self._sessions = sessions
        self._vault = vault

    async def run(self, stop: asyncio.Event) -> None:
        """Look for them until told to stop; an absent database is waited for."""
        while not stop.is_set():
            try:
                await self.once()
            except Exception as error:
                if not is_connection_error(error):
                    raise
                log.warning("purges_wait", error=repr(error))
            await wait(stop, _POLL_SECONDS)

    async def once(self) -> int:
        """Finish those there are, and return how many."""
        async with transaction(self._sessions) as session:
            begun = (await session.execute(select(Purge.id).where(Purge.certificate.is_(None)))).scalars().all()
        for purge_id in begun:
            await finish(self._sessions, self._vault, purge_id)
        return len(begun)


async def found(session: AsyncSession, purge_id: UUID) -> Purge:
    """Return a purge. Raises PurgeNotFound."""
    row = await session.get(Purge, purge_id)
    if row is None:
        raise PurgeNotFound(f"no purge {purge_id}")
    return row


async def read_certificate(session: AsyncSession, token: str) -> Certificate:
    """Return what a certificate says, once its signature holds. Raises Forged."""
    payload = signed_texts.payload_of(token, KIND, await badge_keys.verifying_keys(session))
    return msgspec.json.decode(payload, type=Certificate)


async def _begin(session: AsyncSession, vault: Vault, asked: Asked) -> Purge:
    account = await session.get(Account, asked.account_id, with_for_update=True)
    if account is None:
        raise AccountUnknown(f"no account {asked.account_id}")
    before = select(Purge).where(Purge.account_id == account.id, Purge.version == account.version)
    known = (await session.execute(before)).scalar_one_or_none()
    if known is not None:
        return known
    term = await retention.term_of(session, account)
    if account.state not in _ENDED or term is None:
        raise NotYet(f"the account is {account.state}: its file is kept for as long as it is open, and years beyond")
    row = term.row
    if row.due_at is None or row.state not in _RUN_OUT:
        raise NotYet(f"the file is kept until further notice: its period is {row.state}")
    if asked.at < row.due_at:
        raise NotYet(f"the file is kept until {row.last_day} ({term.source})")
    begun = Purge(
        id=new_id(),
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=account.platform_id,
        operator_ref=account.operator_ref,
        version=account.version,
        generations=sorted((await vault.keys.held({account.id})).get(account.id, {})),
        ended_at=row.started_at,
        kept_until=row.due_at,
        rule_source=term.source,
        asked_by=asked.by,
        begun_at=asked.at,
    )
    session.add(begun)
    await session.flush()
    return begun


async def _certify(session: AsyncSession, vault: Vault, row: Purge) -> None:
    account = await session.get_one(Account, row.account_id, with_for_update=True)
    if account.version == row.version:
        account.state = "purged"
        connection = await driver(session)
        await link_store.forget(connection, row.account_id)
        for statement in _FORGET:
            await connection.execute(statement, row.account_id)
    row.purged_at = now = utc_now()
    said = Certificate(
        id=row.id,
        account_id=row.account_id,
        operator_id=row.operator_id,
        platform_id=row.platform_id,
        keys_destroyed=row.generations,
        account_ended_at=row.ended_at,
        kept_until=row.kept_until,
        rule=row.rule_source,
        asked_by=row.asked_by,
        purged_at=now,
    )
    key = await badge_keys.signing_key(session, vault.masters, now=now)
    row.certificate = signed_texts.signed(msgspec.json.encode(said), KIND, key)
    await publish(session, [_told(row, now)], source="identity")


def _told(row: Purge, at: datetime) -> OperatorPurged:
    return OperatorPurged(
        occurred_at=at,
        account_id=row.account_id,
        operator_id=row.operator_id,
        platform_id=row.platform_id,
        operator_ref=row.operator_ref,
        version=row.version,
        purge_id=row.id,
    )
