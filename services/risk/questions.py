"""Answers about alerts, assessments and operators, read from this service's tables."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.risk import patrol
from services.risk.alerts import AlertNotFound
from services.risk.foresight_tables import OperatorStanding
from services.risk.models import (
    Alert,
    Assessment,
    Incident,
    Investigation,
    Operator,
    Ring,
    Rule,
)
from shared.errors import NotFound
from shared.identifiers import transaction_id
from shared.paging import Cursor

_BY_CLASS = (
    select(OperatorStanding.risk_class, func.count())
    .group_by(OperatorStanding.risk_class)
    .order_by(OperatorStanding.risk_class)
)
R = TypeVar("R")
_SEVERITIES = ("low", "medium", "high", "critical")


class RingNotFound(NotFound):
    """No such ring."""


class NotAssessed(NotFound):
    """No transaction of such an order was assessed."""


class OperatorNotFound(NotFound):
    """Neither identity nor a transaction named such an operator or account."""


async def alerts(
    session: AsyncSession,
    *,
    account_id: UUID | None,
    rule: str | None,
    after: Cursor | None,
    limit: int,
) -> tuple[list[Alert], str | None]:
    """Return a page of alerts, newest first, and the cursor of the next."""
    statement = select(Alert)
    if account_id is not None:
        statement = statement.where(Alert.account_id == account_id)
    if rule is not None:
        statement = statement.where(Alert.rule == rule)
    return await page(session, statement, (Alert.raised_at, Alert.id), after, limit)


async def alert(session: AsyncSession, identifier: UUID) -> Alert:
    """Return one alert. Raises AlertNotFound."""
    found = (await session.execute(select(Alert).where(Alert.id == identifier))).scalar_one_or_none()
    if found is None:
        raise AlertNotFound(f"no alert {identifier}")
    return found


async def rings(
    session: AsyncSession, *, account_id: UUID | None, after: Cursor | None, limit: int
) -> tuple[list[Ring], str | None]:
    """Return a page of rings, last seen first, and the cursor of the next."""
    statement = select(Ring)
    if account_id is not None:
        statement = statement.where(Ring.accounts.contains([account_id]))
    return await page(session, statement, (Ring.seen_at, Ring.id), after, limit)


async def incidents(
    session: AsyncSession, *, kind: str | None, after: Cursor | None, limit: int
) -> tuple[list[Incident], str | None]:
    """Return a page of incidents, last found first, and the cursor of the next."""
    statement = select(Incident)
    if kind is not None:
        statement = statement.where(Incident.kind == kind)
    return await page(session, statement, (Incident.found_at, Incident.id), after, limit)


async def ring(session: AsyncSession, identifier: UUID) -> Ring:
    """Return one ring. Raises RingNotFound."""
    found = (await session.execute(select(Ring).where(Ring.id == identifier))).scalar_one_or_none()
    if found is None:
        raise RingNotFound(f"no ring {identifier}")
    return found


async def assessment(session: AsyncSession, platform_id: str, order_ref: str) -> dict[str, Any]:
    """Return a transaction's assessment over all of its operators. Raises NotAssessed."""
    identifier = transaction_id(platform_id, order_ref)
    statement = select(Assessment).where(Assessment.transaction_id == identifier, Assessment.platform_id == platform_id)
    parts = list((await session.execute(statement.order_by(Assessment.part))).scalars())
    if not parts:
        raise NotAssessed(f"{platform_id} has no assessed order {order_ref!r}")
    return {
        "transaction_id": identifier,
        "platform_id": platform_id,
        "order_ref": order_ref,
        "score": max(part.score for part in parts),
        "hits": sorted({code for part in parts for code in part.hits}),
        "parts": parts,
    }


async def operator(session: AsyncSession, identifier: UUID) -> dict[str, Any]:
    """Roll an operator, or one account, up. Raises OperatorNotFound."""
    named = select(Operator).where(or_(Operator.operator_id == identifier, Operator.account_id == identifier))
    rows = list((await session.execute(named)).scalars())
    accounts = [row.account_id for row in rows] or [identifier]
    assessed = select(func.count()).select_from(Assessment).where(Assessment.account_id.in_(accounts))
    count = (await session.execute(assessed)).scalar_one()
    if not rows and not count:
        raise OperatorNotFound(f"no operator or account {identifier}")
    by_rule = (
        select(Alert.rule, Alert.severity, func.count())
        .where(Alert.account_id.in_(accounts), Alert.state == "open")
        .group_by(Alert.rule, Alert.severity)
    )
    found = (await session.execute(by_rule)).all()
    return {
        "id": identifier,
        "accounts": accounts,
        "verdicts": sorted({row.verdict for row in rows}),
        "assessed": count,
        "alerts_open": sum(n for _, _, n in found),
        "alerts_by_rule": {rule: n for rule, _, n in found},
        "highest_severity": max((s for _, s, _ in found), key=_SEVERITIES.index, default=None),
        **await _stands(session, rows[0].operator_id if rows else identifier),
    }


async def _stands(session: AsyncSession, operator_id: UUID) -> dict[str, Any]:
    own = (
        await session.execute(select(OperatorStanding).where(OperatorStanding.operator_id == operator_id))
    ).scalar_one_or_none()
    return {
        "risk_class": own.risk_class if own else None,
        "points": own.points if own else None,
        "probability": own.probability if own else None,
        "forecast_by": own.forecast_by if own else None,
        "reasons": own.reasons if own else [],
    }


async def investigations(
    session: AsyncSession, *, after: Cursor | None, limit: int
) -> tuple[list[Investigation], str | None]:
    """Return a page of proposals, newest first, and the cursor of the next."""
    return await page(session, select(Investigation), (Investigation.proposed_at, Investigation.id), after, limit)


async def page(
    session: AsyncSession,
    statement: Select[R],
    order: tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[UUID]],
    after: Cursor | None,
    limit: int,
) -> tuple[list[R], str | None]:
    """Return a page of what a statement finds, newest first by a time and an id, and the cursor of the next."""
    at, identifier = order
    statement = statement.order_by(at.desc(), identifier.desc()).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(at, identifier) < (after.at, after.id))
    found = list((await session.execute(statement)).scalars())
    shown = found[:limit]
    if len(found) <= limit:
        return shown, None
    return shown, Cursor(getattr(shown[-1], at.key), getattr(shown[-1], identifier.key)).encode()


async def rules(session: AsyncSession) -> list[Rule]:
    """Return every version of every rule."""
    return list((await session.execute(select(Rule).order_by(Rule.code, Rule.version))).scalars())


async def summary(session: AsyncSession) -> dict[str, Any]:
    """Count transactions assessed, alerts raised and rings found."""
    assessed = select(func.count()).select_from(Assessment).where(Assessment.part == 0)
    by_rule = select(Alert.rule, func.count()).group_by(Alert.rule).order_by(Alert.rule)
    found = {rule: n for rule, n in (await session.execute(by_rule)).all()}
    withdrawn = select(func.count()).select_from(Alert).where(Alert.state == "withdrawn")
    return {
        "assessed": (await session.execute(assessed)).scalar_one(),
        "alerts": sum(found.values()),
        "withdrawn": (await session.execute(withdrawn)).scalar_one(),
        "by_rule": found,
        "rings": (await session.execute(select(func.count()).where(Ring.state == "active"))).scalar_one(),
        "unpatrolled": await patrol.unpatrolled(session),
        "by_class": {risk_class: n for risk_class, n in (await session.execute(_BY_CLASS)).all()},
        "investigations": (await session.execute(select(func.count()).select_from(Investigation))).scalar_one(),
    }
