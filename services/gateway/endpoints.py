"""Endpoints of departments and platforms, what they are owed, and sending it again."""

import hashlib
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.dialling import check_url
from services.gateway.models import Attempt, Delivery, Endpoint
from services.gateway.notices import FOR_PLATFORMS, PLATFORM
from shared.auth import Caller, Role
from shared.database import driver
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.identifiers import new_id
from shared.paging import Cursor

_DEPARTMENTS = {Role.CUSTOMS: "customs", Role.TAX: "tax"}
_FOR_PLATFORMS = frozenset(kind.type for kind in FOR_PLATFORMS)

_REPLAY = """
    UPDATE deliveries SET state = 'pending', delivered_at = NULL
    WHERE endpoint_id = $1 AND created_at >= $2 AND state <> 'pending' RETURNING id
"""
_REWIND = """
    UPDATE lines l SET head_seq = least(l.head_seq, x.first), due_at = now() FROM (
        SELECT subject, min(seq) AS first FROM deliveries WHERE endpoint_id = $1 AND created_at >= $2
        GROUP BY subject) x
    WHERE l.endpoint_id = $1 AND l.subject = x.subject
"""


class EndpointNotFound(NotFound):
    """No such endpoint of the caller's department."""


class DeliveryNotFound(NotFound):
    """No such delivery to the caller's department."""


class EndpointExists(Conflict):
    """The department has this URL already, with another subscription."""


class NotForPlatforms(Invalid):
    """A platform asks for notices that are departments' only."""


def department_of(caller: Caller) -> str | None:
    """Return the caller's department, or itself as one where it is a platform; None for those who see every one."""
    if caller.role is Role.PLATFORM:
        return f"{PLATFORM}{caller.platform_id}"
    return _DEPARTMENTS.get(caller.role)


async def add(session: AsyncSession, wanted: dict[str, Any], *, caller: Caller, allowed: Collection[str]) -> Endpoint:
    """Register an endpoint; the same one twice is one.

    Raises Forbidden, NotForPlatforms, UrlRefused, EndpointExists.
    """
    if caller.role is not Role.ADMINISTRATOR and wanted["department"] != caller.role.value:
        raise Forbidden(f"{caller.role} registers its own endpoints only")
    if wanted["department"] == Role.PLATFORM.value:
        wanted = {**wanted, "department": _platform(caller, wanted["types"])}
    check_url(wanted["url"], allowed)
    statement = insert(Endpoint).values(id=new_id(), **wanted).on_conflict_do_nothing().returning(Endpoint)
    endpoint = (await session.execute(statement)).scalar_one_or_none()
    if endpoint is not None:
        return endpoint
    named = select(Endpoint).where(Endpoint.department == wanted["department"], Endpoint.url == wanted["url"])
    known = (await session.execute(named)).scalar_one()
    if {"types": known.types, "least_severity": known.least_severity} != {
        "types": wanted["types"],
        "least_severity": wanted["least_severity"],
    }:
        raise EndpointExists(f"{known.url} is registered with another subscription: endpoint {known.id}")
    return known


def _platform(caller: Caller, types: Collection[str]) -> str:
    own = department_of(caller)
    if own is None:
        raise Forbidden("a platform registers its endpoints itself")
    for place, kind in enumerate(types):
        if kind not in _FOR_PLATFORMS:
            raise NotForPlatforms(f"{kind} is for departments only", pointer=f"/types/{place}")
    return own


async def endpoints(session: AsyncSession, *, caller: Caller) -> list[Endpoint]:
    """Return the endpoints of the caller's department."""
    statement = select(Endpoint).order_by(Endpoint.created_at, Endpoint.id)
    if (own := department_of(caller)) is not None:
        statement = statement.where(Endpoint.department == own)
    return list((await session.execute(statement)).scalars())


async def find(session: AsyncSession, endpoint_id: UUID, *, caller: Caller) -> Endpoint:
    """Return an endpoint of the caller's department. Raises EndpointNotFound."""
    for endpoint in await endpoints(session, caller=caller):
        if endpoint.id == endpoint_id:
            return endpoint
    raise EndpointNotFound(f"no endpoint {endpoint_id}")


async def deliveries(
    session: AsyncSession,
    *,
    caller: Caller,
    endpoint_id: UUID | None,
    state: str | None,
    after: Cursor | None,
    limit: int,
) -> tuple[list[Delivery], str | None]:
    """Return a page of the delivery log, newest first, and the cursor of the next."""
    seen = [endpoint.id for endpoint in await endpoints(session, caller=caller)]
    statement = select(Delivery).where(Delivery.endpoint_id.in_(seen)).limit(limit + 1)
    statement = statement.order_by(Delivery.created_at.desc(), Delivery.id.desc())
    if endpoint_id is not None:
        statement = statement.where(Delivery.endpoint_id == endpoint_id)
    if state is not None:
        statement = statement.where(Delivery.state == state)
    if after is not None:
        statement = statement.where(tuple_(Delivery.created_at, Delivery.id) < (after.at, after.id))
    found = list((await session.execute(statement)).scalars())
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], Cursor(last.created_at, last.id).encode() if last is not None else None


async def attempts(session: AsyncSession, delivery_id: UUID, *, caller: Caller) -> list[Attempt]:
    """Return every try to deliver a notice. Raises DeliveryNotFound."""
    delivery = await session.get(Delivery, delivery_id)
    seen = {endpoint.id for endpoint in await endpoints(session, caller=caller)}
    if delivery is None or delivery.endpoint_id not in seen:
        raise DeliveryNotFound(f"no delivery {delivery_id}")
    statement = select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id)
    return list((await session.execute(statement)).scalars())


async def replay(session: AsyncSession, endpoint_id: UUID, since: datetime, *, caller: Caller) -> int:
    """Send notices again from a moment on, each line in its order; return how many. Raises EndpointNotFound."""
    endpoint = await find(session, endpoint_id, caller=caller)
    connection = await driver(session)
    again = await connection.fetch(_REPLAY, endpoint.id, since)
    await connection.execute(_REWIND, endpoint.id, since)
    return len(again)


async def digest(session: AsyncSession, day: date, *, caller: Caller) -> list[dict[str, Any]]:
    """Return, for each endpoint, the counts of a day's notices and a hash over their ids, in order."""
    start = datetime.combine(day, time(), UTC)
    result = []
    for endpoint in await endpoints(session, caller=caller):
        statement = (
            select(Delivery.id, Delivery.state)
            .where(
                Delivery.endpoint_id == endpoint.id,
                Delivery.created_at >= start,
                Delivery.created_at < start + timedelta(days=1),
            )
            .order_by(Delivery.id)
        )
        rows = (await session.execute(statement)).all()
        states = [state for _, state in rows]
        result.append(
            {
                "endpoint_id": endpoint.id,
                "department": endpoint.department,
                "date": day,
                "created": len(rows),
                **{state: states.count(state) for state in ("delivered", "pending", "parked")},
                "digest": hashlib.sha256("".join(f"{identifier}\n" for identifier, _ in rows).encode()).hexdigest(),
            }
        )
    return result


async def summary(session: AsyncSession) -> dict[str, int]:
    """Count notices by state."""
    by_state = select(Delivery.state, func.count()).group_by(Delivery.state)
    found = {state: n for state, n in (await session.execute(by_state)).all()}
    counted = {state: found.get(state, 0) for state in ("delivered", "pending", "parked")}
    return {"due": sum(counted.values()), **counted}
