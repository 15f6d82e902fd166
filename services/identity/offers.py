"""Offers held against the qualifications of who makes them, whichever of offer and file comes first.

E-Commerce Law of China, art. 12: what needs a permit is not sold without it. Which category needs which qualification
is in `qualifications.csv`, and of whom it is asked since when in the rule values `qualification.…`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.conditions import File, held_until, lacking, needed_in
from services.identity.models import NEWEST_FILE, Account, RegistrationFile
from services.identity.offer_tables import Offer
from services.identity.rule_values import OF_THE_LAW, RuleValues
from shared import clock_store, clocks
from shared.calendars import calendar_of
from shared.clock_store import About, ClockRow, Fire
from shared.database import among, kept
from shared.events.base import Event
from shared.events.duties import OfferQualified, OfferRefused
from shared.events.listings import ListingRecorded
from shared.events.platform import OperatorRegistered
from shared.identifiers import derived_id

# Files come from one topic and offers from another: whoever comes second sees what the first one stored.
EXPIRY = "offer.qualification"
# Beyond that a permit is for good.
_LONGEST_DAYS = 10_000
_TURN = text("SELECT pg_advisory_xact_lock(hashtext('identity.offers'))")


async def record(session: AsyncSession, events: Sequence[ListingRecorded]) -> list[Event]:
    """Keep offers that need something of their operators, and return what that makes of them."""
    newest: dict[UUID, ListingRecorded] = {}
    for event in events:
        before = newest.get(event.listing_id)
        if before is None or before.version < event.version:
            newest[event.listing_id] = event
    await session.execute(_TURN)
    known = await _known(session, list(newest))
    wanted = [one for one in newest.values() if one.listing_id in known or needed_in(one.category)]
    later = [one for one in wanted if (row := known.get(one.listing_id)) is None or row.version < one.version]
    if not later:
        return []
    await session.execute(_upserted(), [_row(one) for one in later])
    found = await _known(session, [one.listing_id for one in later])
    return await _judge(session, list(found.values()), {})


async def follow(session: AsyncSession, moments: Mapping[UUID, datetime]) -> list[Event]:
    """Return what becomes of the offers of accounts whose files changed, came or ended, each at its moment."""
    await session.execute(_TURN)
    own = select(Offer).where(among(Offer.account_id, moments)).order_by(Offer.listing_id)
    offers = (await session.execute(own.execution_options(populate_existing=True))).scalars().all()
    return await _judge(session, offers, moments) if offers else []


async def refused(session: AsyncSession) -> int:
    """Count offers that are refused."""
    return (await session.execute(select(func.count()).where(func.cardinality(Offer.refused_for) > 0))).scalar_one()


async def _judge(session: AsyncSession, offers: Sequence[Offer], moments: Mapping[UUID, datetime]) -> list[Event]:
    """Judge offers by the newest files, and return what is told of those that are others than before."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    files = await _files(session, {offer.account_id for offer in offers})
    events: list[Event] = []
    for offer in offers:
        file = files.get(offer.account_id)
        at = max(offer.stated_at, moments.get(offer.account_id, offer.stated_at))
        reasons = _reasons(offer, file, values, at) if file is not None else []
        if file is not None and offer.is_published and not reasons:
            await _watch(session, offer, file, at)
        if reasons == offer.refused_for:
            continue
        offer.refused_for = reasons
        names = ("listing_id", "account_id", "platform_id", "listing_ref")
        about: dict[str, Any] = {"occurred_at": at, **{name: getattr(offer, name) for name in names}}
        events.append(OfferRefused(**about, reasons=reasons) if reasons else OfferQualified(**about))
    await session.flush()
    return events


async def on_expired(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Judge offers anew, on the day after a qualification that they need has ended."""
    await session.execute(_TURN)
    days = {row.subject: datetime.fromisoformat(row.content["after"]) for row in rows}
    known = await _known(session, list(days))
    moments = {offer.account_id: days[offer.listing_id] for offer in known.values()}
    return await _judge(session, list(known.values()), moments)


FIRING: dict[str, Fire] = {EXPIRY: on_expired}


async def _watch(session: AsyncSession, offer: Offer, file: File, at: datetime) -> None:
    """Begin a clock that ends with the qualification that an offer needs and that ends first."""
    until = held_until(file, needed_in(offer.category))
    if until is None or not 0 < (until - at.date()).days < _LONGEST_DAYS:
        return
    after = datetime.combine(until + timedelta(days=1), time.min, UTC)
    own = derived_id(EXPIRY, offer.listing_id, until.isoformat())
    about = About(own, EXPIRY, offer.listing_id, offer.platform_id, {"after": after.isoformat()})
    calendar = calendar_of(OF_THE_LAW)
    days = (until - calendar.day_of(at)).days
    if days > 0:
        # A permit ends on its day, whether anybody works on that or not.
        clock = clocks.begin(calendar, at=at, amount=days, unit="calendar_days", moves=False)
        await clock_store.start(session, about, clock)


def _reasons(offer: Offer, file: File, values: RuleValues, at: datetime) -> list[str]:
    if not offer.is_published:
        return []
    on = at.date()
    return sorted(lacking(file, needed_in(offer.category), values.on(on, file.jurisdiction.upper()), on))


async def _known(session: AsyncSession, listings: Collection[UUID]) -> dict[UUID, Offer]:
    found = select(Offer).where(Offer.listing_id.in_(listings)).order_by(Offer.listing_id)
    rows = (await session.execute(found.execution_options(populate_existing=True))).scalars()
    return {row.listing_id: row for row in rows}


async def _files(session: AsyncSession, accounts: Collection[UUID]) -> dict[UUID, File]:
    """Return the newest files of accounts that have not ended."""
    newest = (
        select(Account.id, RegistrationFile.content)
        .join(
            RegistrationFile,
            NEWEST_FILE,
        )
        .where(Account.id.in_(accounts), Account.state.in_(("active", "lapsed")))
    )
    rows = (await session.execute(newest)).all()
    return {account: msgspec.convert(content, OperatorRegistered) for account, content in rows}


def _row(event: ListingRecorded) -> dict[str, Any]:
    names = ("listing_id", "account_id", "platform_id", "listing_ref", "version", "category")
    stated = {"is_published": event.state == "published", "stated_at": event.occurred_at, "refused_for": []}
    return {**{name: getattr(event, name) for name in names}, **stated}


def _upserted() -> Any:  # SQLAlchemy's own statement
    statement = insert(Offer)
    kept_columns = ("listing_id", "refused_for")
    replaced = {c.name: statement.excluded[c.name] for c in Offer.__table__.columns if c.name not in kept_columns}
    return statement.on_conflict_do_update(index_elements=[Offer.listing_id], set_=replaced)
