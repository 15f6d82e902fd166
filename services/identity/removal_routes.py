"""Doors of removal orders: regulators order, platforms acknowledge; ending the account carries one out."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from services.identity import removal_questions, removals, reverification
from services.identity.periods import Extension
from services.identity.removal_questions import RemovalIsOver
from services.identity.removal_schemas import ExtensionIn, RemovalIn, RemovalOut, RemovalPage, RemovalReasonIn
from shared.auth import CallerDep, Role, require
from shared.messaging import publish
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["removal orders"])

_DECIDERS = (Role.REGULATOR, Role.ADMINISTRATOR)
_READERS = (Role.PLATFORM, *_DECIDERS, Role.INSPECTOR, Role.CUSTOMS, Role.TAX)


@router.post(
    "/v1/removal-orders", status_code=201, response_model=RemovalOut, responses=problems(400, 401, 403, 404, 409, 422)
)
async def order_removal(session: SessionDep, caller: CallerDep, body: RemovalIn) -> object:
    """Order that an account be removed; where an order is open the decision is one more ground of it."""
    require(caller, *_DECIDERS)
    account, now = await removal_questions.account_of(session, body.account_id), await reverification.now(session)
    events = await removals.decide(session, account, because=body.because, by=caller.subject, at=now)
    await publish(session, events, source="identity")
    found = (await removals.open_orders(session, [account.id])).get(account.id)
    if found is None:
        raise RemovalIsOver(f"the account is {account.state}")
    return found


@router.get("/v1/removal-orders", response_model=RemovalPage, responses=problems(401, 403, 422))
async def list_removals(
    session: SessionDep,
    caller: CallerDep,
    state: Literal["open", "carried_out", "withdrawn"] | None = None,
    escalation: Literal["not_acknowledged", "not_removed"] | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List orders; a platform sees its own."""
    require(caller, *_READERS)
    items, following = await removal_questions.orders(
        session, state=state, escalation=escalation, after=read_cursor(cursor), limit=limit
    )
    return {"items": items, "next": following}


@router.get("/v1/removal-orders/{order_id}", response_model=RemovalOut, responses=problems(401, 403, 404, 422))
async def get_removal(session: SessionDep, caller: CallerDep, order_id: UUID) -> object:
    """Return one order."""
    require(caller, *_READERS)
    return await removal_questions.order(session, order_id)


@router.post(
    "/v1/removal-orders/{order_id}/acknowledgement",
    response_model=RemovalOut,
    responses=problems(401, 403, 404, 409, 422),
)
async def acknowledge_removal(session: SessionDep, caller: CallerDep, order_id: UUID) -> object:
    """Say as its platform that an order was read; again changes nothing."""
    require(caller, Role.PLATFORM)
    found = await removal_questions.open_order(session, order_id)
    await removals.acknowledge(session, found, by=caller.subject, at=await reverification.now(session))
    return found


@router.post(
    "/v1/removal-orders/{order_id}/withdrawal",
    response_model=RemovalOut,
    responses=problems(400, 401, 403, 404, 409, 422),
)
async def withdraw_removal(session: SessionDep, caller: CallerDep, order_id: UUID, body: RemovalReasonIn) -> object:
    """Withdraw an order."""
    require(caller, *_DECIDERS)
    found = await removal_questions.open_order(session, order_id)
    events = await removals.withdraw(session, found, because=body.because, at=await reverification.now(session))
    await publish(session, events, source="identity")
    return found


@router.post(
    "/v1/removal-orders/{order_id}/extension",
    response_model=RemovalOut,
    responses=problems(400, 401, 403, 404, 409, 422),
)
async def extend_removal(session: SessionDep, caller: CallerDep, order_id: UUID, body: ExtensionIn) -> object:
    """Give a platform more time."""
    require(caller, *_DECIDERS)
    found = await removal_questions.open_order(session, order_id)
    act = Extension(body.working_days, caller.subject, body.because, await reverification.now(session))
    await removals.extend(session, found, act)
    return found
