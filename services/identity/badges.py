"""Electronic identification of operators: issued to who is verified, looked up, revoked at once."""

import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from uuid import UUID

from joserfc.jwk import OKPKey
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import badge_keys, badge_tokens
from services.identity.badge_checks import Check, check, forged
from services.identity.badge_tables import IssuedBadge
from services.identity.badge_tokens import Badge, Entity
from services.identity.models import Account, Operator, RegistrationFile
from services.identity.personal import HIDDEN
from services.identity.rule_values import RuleValues
from services.identity.sealing import MasterKeys
from services.identity.shop_pages import page_of
from services.identity.signed_texts import Forged
from shared.database import kept
from shared.errors import Conflict, NotFound
from shared.events.base import Event
from shared.events.identity import BadgeIssued, BadgeRevoked
from shared.identifiers import new_id
from shared.messaging import publish

FRESH_SECONDS = 0.5
_MOST_REVOKED = 100_000


class NotEligible(Conflict):
    """A badge says that everything was checked: nobody else gets one."""


class BadgeNotFound(NotFound):
    """No such badge, or none the caller may know of."""


class AccountUnknown(NotFound):
    """No such account, or none the caller may know of."""


class VerifyingKeys:
    """The public keys as this process knows them."""

    def __init__(self) -> None:
        self._keys: list[OKPKey] = []
        self._until = 0.0

    async def of(self, session: AsyncSession) -> list[OKPKey]:
        """Return the keys, no older than half a second."""
        if self._until < time.monotonic():
            self._keys = await badge_keys.verifying_keys(session)
            self._until = time.monotonic() + FRESH_SECONDS
        return self._keys

    def forget(self) -> None:
        """Let the keys be read again."""
        self._until = 0.0


async def issue(session: AsyncSession, masters: MasterKeys, account_id: UUID, *, now: datetime, to: str) -> IssuedBadge:
    """Issue a badge for an account, in place of the one before. Raises AccountUnknown, NotEligible."""
    account = await session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise AccountUnknown(f"no account {account_id}")
    if account.state != "active" or account.verdict != "verified":
        raise NotEligible(f"the account is {account.state} and {account.verdict}: {', '.join(account.reasons) or '-'}")
    badge = await _described(session, account, now)
    if not badge.shops:
        raise NotEligible("its file names no shop on the web")
    await publish(session, await revoke_of(session, account, "replaced", at=now), source="identity")
    issued = IssuedBadge(
        id=badge.id,
        operator_id=badge.operator_id,
        account_id=badge.account_id,
        platform_id=badge.platform_id,
        token=badge_tokens.signed(badge, await badge_keys.signing_key(session, masters, now=now)),
        issued_at=badge.issued_at,
        expires_at=badge.expires_at,
        issued_to=to,
    )
    session.add(issued)
    await publish(
        session, [BadgeIssued(**_about(issued), occurred_at=now, expires_at=badge.expires_at)], source="identity"
    )
    await session.flush()
    return issued


async def revoke(session: AsyncSession, badge_id: UUID, because: str, *, now: datetime) -> IssuedBadge:
    """Revoke a badge; revoked again it stays as it was. Raises BadgeNotFound."""
    found = await session.get(IssuedBadge, badge_id, with_for_update=True)
    if found is None:
        raise BadgeNotFound(f"no badge {badge_id}")
    if found.revoked_at is None:
        found.revoked_at, found.revoked_because = now, because
        await publish(session, [BadgeRevoked(**_about(found), occurred_at=now, reason=because)], source="identity")
    return found


async def revoke_of(session: AsyncSession, account: Account, because: str, *, at: datetime) -> list[Event]:
    """Revoke the badges of an account that are not, and return what is to be published."""
    statement = (
        update(IssuedBadge)
        .where(IssuedBadge.account_id == account.id, IssuedBadge.revoked_at.is_(None))
        .values(revoked_at=at, revoked_because=because)
        .returning(IssuedBadge)
    )
    revoked = (await session.execute(statement)).scalars().all()
    return [BadgeRevoked(**_about(one), occurred_at=at, reason=because) for one in sorted(revoked, key=lambda b: b.id)]


async def badge(session: AsyncSession, badge_id: UUID) -> IssuedBadge:
    """Return a badge. Raises BadgeNotFound."""
    found = await session.get(IssuedBadge, badge_id)
    if found is None:
        raise BadgeNotFound(f"no badge {badge_id}")
    return found


async def check_id(session: AsyncSession, badge_id: UUID, page: str | None, *, now: datetime) -> Check:
    """Return the verdict on the badge behind an id, such as a QR code leads to."""
    found = await session.get(IssuedBadge, badge_id)
    if found is None:
        return forged("no badge was issued under this number")
    return await check_token(session, found.token, page, now=now)


async def check_token(session: AsyncSession, token: str, page: str | None, *, now: datetime) -> Check:
    """Return the verdict on a signed badge: by its signature, by what was revoked until now, by where it is shown."""
    keys = kept(session, VerifyingKeys)
    try:
        said = await _read(session, keys, token)
    except Forged as error:
        return forged(str(error))
    found = await session.get(IssuedBadge, said.id)
    if found is None:
        return forged("it is signed, and was never issued")
    return check(said, revoked_at=found.revoked_at, page=page, now=now)


async def _read(session: AsyncSession, keys: VerifyingKeys, token: str) -> Badge:
    """Return what a badge says, by a key of this very moment where those known do not do. Raises Forged."""
    try:
        return badge_tokens.read(token, await keys.of(session))
    except Forged:
        keys.forget()
        return badge_tokens.read(token, await keys.of(session))


async def revoked(session: AsyncSession) -> list[IssuedBadge]:
    """Return the badges that were revoked before they expired, the newest first."""
    statement = (
        select(IssuedBadge)
        .where(IssuedBadge.revoked_at.is_not(None))
        .order_by(IssuedBadge.revoked_at.desc(), IssuedBadge.id.desc())
        .limit(_MOST_REVOKED)
    )
    return list((await session.execute(statement)).scalars())


async def _described(session: AsyncSession, account: Account, now: datetime) -> Badge:
    file = await session.get(RegistrationFile, (account.id, account.version))
    operator = await session.get(Operator, account.operator_id)
    assert file is not None, "each version of an account has a file"
    assert operator is not None, "each account has an operator"
    values = kept(session, RuleValues)
    await values.refresh(session)
    (days,) = values.named("badge.valid_days", on=now.date())
    issued_at, until = badge_tokens.moment(now), badge_tokens.moment(now + timedelta(days=days))
    licence_ends = (file.content.get("licence") or {}).get("expires_on")
    if licence_ends is not None:
        last = datetime.combine(date.fromisoformat(licence_ends), clock_time.max, UTC)
        until = min(until, badge_tokens.moment(last))
    return Badge(
        id=new_id(),
        operator_id=account.operator_id,
        account_id=account.id,
        platform_id=account.platform_id,
        entity=_entity(file.content, operator),
        shops=tuple(url for url in file.content.get("shop_urls", ()) if page_of(url) is not None),
        issued_at=issued_at,
        expires_at=until,
    )


def _entity(content: dict[str, Any], operator: Operator) -> Entity:
    name = content["legal_name"]
    return Entity(
        name=None if name == HIDDEN else name,
        jurisdiction=operator.jurisdiction,
        scheme=operator.scheme,
        number=operator.number,
        entity_type=content["entity_type"],
    )


def _about(one: IssuedBadge) -> dict[str, Any]:
    return {
        "badge_id": one.id,
        "account_id": one.account_id,
        "operator_id": one.operator_id,
        "platform_id": one.platform_id,
    }
