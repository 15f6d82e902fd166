"""Keys that sign badges: the newest signs, and all verify, so that what is out there goes on being good."""

from datetime import datetime

import msgspec
from joserfc.jwk import OKPKey
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.badge_tables import BadgeKey
from services.identity.sealing import MasterKeys, SubjectKey
from services.identity.signed_texts import new_signing_key
from shared.identifiers import derived_id

_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('identity.badge_keys'))")


async def signing_key(session: AsyncSession, masters: MasterKeys, *, now: datetime) -> OKPKey:
    """Return the key that signs; the first is made when it is asked for."""
    found = await _newest(session)
    if found is None:
        await session.execute(_ALONE)
        found = await _newest(session) or await _add(session, masters, now=now)
    stored = masters.unwrapped(derived_id("badge-key", found.kid), 1, found.master, found.wrapped)
    return OKPKey.import_key(msgspec.json.decode(stored.key))


async def rotate(session: AsyncSession, masters: MasterKeys, *, now: datetime) -> list[OKPKey]:
    """Add a key that signs from now on, and return all that verify."""
    await session.execute(_ALONE)
    await _add(session, masters, now=now)
    return await verifying_keys(session)


async def verifying_keys(session: AsyncSession) -> list[OKPKey]:
    """Return the public halves of all keys there ever were, the newest first."""
    rows = (await session.execute(select(BadgeKey).order_by(BadgeKey.created_at.desc(), BadgeKey.kid))).scalars()
    return [OKPKey.import_key(row.public) for row in rows]


async def rewrap(session: AsyncSession, masters: MasterKeys) -> int:
    """Wrap private halves that an older master key wraps by the current one; return how many."""
    await session.execute(_ALONE)
    older = (await session.execute(select(BadgeKey).where(BadgeKey.master != masters.current))).scalars().all()
    for row in older:
        subject = derived_id("badge-key", row.kid)
        row.wrapped = masters.wrapped(subject, masters.unwrapped(subject, 1, row.master, row.wrapped))
        row.master = masters.current
    return len(older)


async def _newest(session: AsyncSession) -> BadgeKey | None:
    statement = select(BadgeKey).order_by(BadgeKey.created_at.desc(), BadgeKey.kid).limit(1)
    found: BadgeKey | None = (await session.execute(statement)).scalar_one_or_none()
    return found


async def _add(session: AsyncSession, masters: MasterKeys, *, now: datetime) -> BadgeKey:
    new = new_signing_key()
    kid = str(new.kid)
    own = SubjectKey(1, msgspec.json.encode(new.as_dict(private=True)))
    added = BadgeKey(
        kid=kid,
        public=new.as_dict(private=False),
        master=masters.current,
        wrapped=masters.wrapped(derived_id("badge-key", kid), own),
        created_at=now,
    )
    session.add(added)
    await session.flush()
    return added
