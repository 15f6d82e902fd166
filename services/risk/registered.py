"""Declarations of firms that are not registered with customs: judged by the file of their day, whatever comes first."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.models import Declaration
from services.risk.registered_tables import CustomsStanding
from shared.events.customs import DeclarationLodged
from shared.events.identity import OperatorRejected, OperatorUnverified, OperatorVerified

STREAM = "lodged"
_FAULT = "customs_registration_"
# Declarations come from one topic and files from another: whoever comes second sees what the first one stored.
_TURN = text("SELECT pg_advisory_xact_lock(hashtext('risk.customs_standings'))")

Checked = OperatorVerified | OperatorRejected | OperatorUnverified


class _Lodged(NamedTuple):
    id: UUID
    platform_id: str
    account_id: UUID
    lodged_at: datetime
    stated: DeclarationLodged


class _Standing(NamedTuple):
    since: datetime
    faults: list[str]


async def note(session: AsyncSession, events: Sequence[Any]) -> None:  # whatever identity says of accounts
    """Keep what is against accounts' registration with customs, and judge what they declared."""
    checked = [event for event in events if isinstance(event, Checked)]
    if not checked:
        return
    await session.execute(_TURN)
    rows = [_row(event) for event in checked]
    statement = insert(CustomsStanding)
    replaced = {name: statement.excluded[name] for name in ("since", "faults")}
    await session.execute(
        statement.on_conflict_do_update(index_elements=["account_id", "version"], set_=replaced), rows
    )
    accounts = {event.account_id for event in checked}
    await _judge(session, await _declared(session, Declaration.account_id.in_(await _suspects(session, accounts))))


async def look(session: AsyncSession, declarations: Collection[UUID]) -> None:
    """Judge declarations that were lodged, or stated anew."""
    if not declarations:
        return
    await session.execute(_TURN)
    lodged = await _declared(session, Declaration.id.in_(declarations))
    suspects = await _suspects(session, {one.account_id for one in lodged})
    await _judge(session, [one for one in lodged if one.account_id in suspects])


async def _judge(session: AsyncSession, lodged: Sequence[_Lodged]) -> None:
    if not lodged:
        return
    standings = await _standings(session, {one.account_id for one in lodged})
    faults = [_faults_at(standings[one.account_id], one.lodged_at) for one in lodged]
    features = [_features(one, own) for one, own in zip(lodged, faults, strict=True)]
    found = await decide(session, STREAM, features, [one.id for one in lodged])
    raised, possible = [], set()
    codes = await alerts.codes_of(session, STREAM)
    for one, own, hits in zip(lodged, faults, found, strict=True):
        evidence = _evidence(one, own)
        subject = Subject(one.platform_id, one.account_id, None, None, one.lodged_at, str(one.id), evidence, one.id)
        raised += [Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits]
        possible |= {alerts.alert_id(code, subject) for code in codes}
    await alerts.raise_alerts(session, raised)
    await alerts.withdraw(session, sorted(possible - {one.id for one in raised}), at=max(o.lodged_at for o in lodged))


def _features(one: _Lodged, faults: Sequence[str]) -> dict[str, Any]:
    return {"customs_fault": bool(faults), "mode": one.stated.mode, "value_minor": one.stated.value_minor}


def _evidence(one: _Lodged, faults: Sequence[str]) -> list[str]:
    return [f"declaration:{one.stated.declaration_ref}", *(f"reason:{fault}" for fault in faults)]


def _faults_at(standings: Sequence[_Standing], at: datetime) -> list[str]:
    """Return what was against an account at a moment: by the newest file until then, or the first there is."""
    place = bisect_right(standings, at, key=lambda one: one.since)
    return standings[max(place - 1, 0)].faults


async def _suspects(session: AsyncSession, accounts: Collection[UUID]) -> set[UUID]:
    """Return those of some accounts that anything was ever against."""
    found = select(CustomsStanding.account_id).where(
        CustomsStanding.account_id.in_(accounts), CustomsStanding.faults != []
    )
    return set((await session.execute(found.distinct())).scalars())


async def _standings(session: AsyncSession, accounts: Collection[UUID]) -> Mapping[UUID, list[_Standing]]:
    found = select(CustomsStanding).where(CustomsStanding.account_id.in_(accounts))
    ordered = found.order_by(CustomsStanding.since, CustomsStanding.version)
    known: dict[UUID, list[_Standing]] = defaultdict(list)
    for row in (await session.execute(ordered.execution_options(populate_existing=True))).scalars():
        known[row.account_id].append(_Standing(row.since, row.faults))
    return known


async def _declared(session: AsyncSession, which: Any) -> list[_Lodged]:  # SQLAlchemy's own kind of condition
    columns = (Declaration.id, Declaration.platform_id, Declaration.account_id, Declaration.lodged_at)
    found = select(*columns, Declaration.content).where(which, Declaration.content.is_not(None))
    rows = (await session.execute(found.order_by(Declaration.id))).all()
    return [
        _Lodged(identifier, platform, account, at, msgspec.convert(content, DeclarationLodged))
        for identifier, platform, account, at, content in rows
    ]


def _row(event: Checked) -> dict[str, Any]:
    reasons = [] if isinstance(event, OperatorVerified) else event.reasons
    faults = sorted(reason for reason in reasons if reason.startswith(_FAULT))
    return {"account_id": event.account_id, "version": event.version, "since": event.occurred_at, "faults": faults}
