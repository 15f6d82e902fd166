"""The registry of payment institutions: item by item, each change kept with who made it and what stood before."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.institution_tables import (
    NAMES_INSTITUTION,
    Certification,
    ChannelPermit,
    Institution,
    InstitutionChange,
)
from services.risk.models import Alert
from services.risk.questions import page
from shared.errors import Invalid, NotFound
from shared.identifiers import derived_id, new_id
from shared.paging import Cursor

ALERT_DAYS = 30
_MOST_CHANGES = 50
# One change at a time: what stood before is read first.
_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('risk.institutions'))")

Item = Institution | Certification | ChannelPermit
_ITEMS: dict[type[Item], str] = {Institution: "institution", Certification: "certification", ChannelPermit: "channel"}


class InstitutionNotFound(NotFound):
    """No such payment institution in the registry."""


class EndsBeforeItBegins(Invalid):
    """A span of days that ends before its first."""


class By(NamedTuple):
    """Who changes the registry, and when."""

    subject: str
    at: datetime


async def name_institution(session: AsyncSession, institution_id: str, *, name: str, jurisdiction: str, by: By) -> bool:
    """Register an institution or name it anew; tell whether that changed anything."""
    besides = {"id": derived_id("institution", institution_id), "registered_at": by.at}
    values = {"name": name, "jurisdiction": jurisdiction}
    return await _state(session, Institution, {"institution_id": institution_id}, values, by=by, besides=besides)


async def certify(session: AsyncSession, institution_id: str, stated: Mapping[str, Any], *, by: By) -> bool:
    """State a certification; the same scheme, number and first day again restates it. Raises InstitutionNotFound."""
    _in_order(stated["valid_from"], stated["valid_to"])
    await institution(session, institution_id)
    key = {"institution_id": institution_id, **{name: stated[name] for name in ("scheme", "number", "valid_from")}}
    values = {name: stated[name] for name in ("authority", "valid_to")}
    return await _state(session, Certification, key, values, by=by)


async def permit(session: AsyncSession, institution_id: str, stated: Mapping[str, Any], *, by: By) -> bool:
    """State a channel; the same channel and first day again restates it. Raises InstitutionNotFound."""
    _in_order(stated["valid_from"], stated["valid_to"])
    await institution(session, institution_id)
    key = {"institution_id": institution_id, "channel": stated["channel"], "valid_from": stated["valid_from"]}
    return await _state(session, ChannelPermit, key, {"valid_to": stated["valid_to"]}, by=by)


async def institution(session: AsyncSession, institution_id: str) -> Institution:
    """Return an institution. Raises InstitutionNotFound."""
    found = await session.get(Institution, institution_id)
    if found is None:
        raise InstitutionNotFound(f"no payment institution {institution_id!r} in the registry")
    return found


async def institutions(
    session: AsyncSession, *, after: Cursor | None, limit: int
) -> tuple[list[Institution], str | None]:
    """Return a page of institutions, last registered first, and the cursor of the next."""
    return await page(session, select(Institution), (Institution.registered_at, Institution.id), after, limit)


async def whole(session: AsyncSession, institution_id: str, *, now: datetime) -> dict[str, Any]:
    """Return an institution with all that is stated of it, its newest changes, and its alerts by rule.

    Raises InstitutionNotFound.
    """
    found = await institution(session, institution_id)
    certifications = select(Certification).where(Certification.institution_id == institution_id)
    channels = select(ChannelPermit).where(ChannelPermit.institution_id == institution_id)
    changes = select(InstitutionChange).where(InstitutionChange.institution_id == institution_id)
    alerts = (
        select(Alert.rule, func.count())
        .where(
            text(NAMES_INSTITUTION),
            Alert.evidence.contains([f"institution:{institution_id}"]),
            Alert.state == "open",
            Alert.window_start > now - timedelta(days=ALERT_DAYS),
        )
        .group_by(Alert.rule)
    )
    certified = await session.execute(certifications.order_by(Certification.valid_from, Certification.number))
    permitted = await session.execute(channels.order_by(ChannelPermit.channel, ChannelPermit.valid_from))
    changed = await session.execute(changes.order_by(InstitutionChange.id.desc()).limit(_MOST_CHANGES))
    return {
        **{name: getattr(found, name) for name in ("institution_id", "name", "jurisdiction", "registered_at")},
        "certifications": certified.scalars().all(),
        "channels": permitted.scalars().all(),
        "changes": changed.scalars().all(),
        "open_alerts": {rule: count for rule, count in (await session.execute(alerts)).all()},
    }


async def _state(
    session: AsyncSession,
    kind: type[Item],
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    by: By,
    besides: Mapping[str, Any] | None = None,
) -> bool:
    """Let an item be as stated, and keep what it was; what is so already is no change."""
    await session.execute(_ALONE)
    found = await session.get(kind, tuple(key.values()), populate_existing=True)
    before = {name: getattr(found, name) for name in (*key, *values)} if found is not None else None
    after = {**key, **values}
    if before == after:
        return False
    if found is None:
        session.add(kind(**after, **(besides or {})))
    for name, value in values.items() if found is not None else ():
        setattr(found, name, value)
    await session.flush()
    session.add(
        InstitutionChange(
            id=new_id(),
            institution_id=key["institution_id"],
            item=_ITEMS[kind],
            before=_plain(before) if before is not None else None,
            after=_plain(after),
            changed_by=by.subject,
            changed_at=by.at,
        )
    )
    await session.flush()
    return True


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def _in_order(first: date, end: date | None) -> None:
    if end is not None and end < first:
        raise EndsBeforeItBegins(f"valid_to {end} is before valid_from {first}", pointer="/valid_to")
