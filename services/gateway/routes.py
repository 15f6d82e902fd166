"""Door 1 of the gateway: endpoints, the delivery log, replay, digests and public keys."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from services.gateway import endpoints, signing
from services.gateway.schemas import (
    AttemptOut,
    DeliveryPage,
    DigestOut,
    EndpointIn,
    EndpointOut,
    KeysOut,
    ReplayIn,
    ReplayOut,
    SummaryOut,
)
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.paging import MAX_PAGE, read_cursor
from shared.web import PublicSessionDep, SessionDep, problems

router = APIRouter(tags=["gateway"])

_RECEIVERS = (Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR, Role.PLATFORM)
_READERS = (*_RECEIVERS, Role.REGULATOR)
_REFUSALS = problems(401, 403, 404, 422)


@router.get("/.well-known/webhook-keys.json", response_model=KeysOut, responses=problems())
async def get_keys(session: PublicSessionDep) -> object:
    """Return the public keys that sign notices now."""
    return {"keys": [signing.published(key) for key in await signing.live_keys(session)]}


@router.post("/v1/keys/rotation", response_model=KeysOut, responses=problems(401, 403))
async def rotate_keys(request: Request, session: SessionDep, caller: CallerDep) -> object:
    """Add a signing key; the one before stays live until the next rotation."""
    require(caller, Role.ADMINISTRATOR)
    keys = await signing.rotate(session, request.app.state.wrapping, now=utc_now())
    return {"keys": [signing.published(key) for key in keys]}


@router.post("/v1/endpoints", status_code=201, response_model=EndpointOut, responses=problems(400, 401, 403, 409, 422))
async def add_endpoint(request: Request, session: SessionDep, caller: CallerDep, body: EndpointIn) -> object:
    """Register where a department, or a platform of its own accounts, receives notices; twice the same is one."""
    require(caller, *_READERS)
    allowed = request.app.state.allowed_hosts
    return await endpoints.add(session, body.model_dump(), caller=caller, allowed=allowed)


@router.get("/v1/endpoints", response_model=list[EndpointOut], responses=problems(401, 403))
async def list_endpoints(session: SessionDep, caller: CallerDep) -> object:
    """List the endpoints of the caller's department."""
    require(caller, *_READERS)
    return await endpoints.endpoints(session, caller=caller)


@router.post(
    "/v1/endpoints/{endpoint_id}/replay",
    response_model=ReplayOut,
    responses=problems(400, 401, 403, 404, 422),
)
async def replay(session: SessionDep, caller: CallerDep, endpoint_id: UUID, body: ReplayIn) -> object:
    """Send an endpoint's notices again from a moment on, in their order and under their ids."""
    require(caller, *_RECEIVERS)
    return {"replayed": await endpoints.replay(session, endpoint_id, body.since, caller=caller)}


@router.get("/v1/deliveries", response_model=DeliveryPage, responses=problems(401, 403, 422))
async def list_deliveries(
    session: SessionDep,
    caller: CallerDep,
    endpoint_id: UUID | None = None,
    state: Literal["pending", "delivered", "parked"] | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List the delivery log of the caller's department, newest first."""
    require(caller, *_READERS)
    items, following = await endpoints.deliveries(
        session,
        caller=caller,
        endpoint_id=endpoint_id,
        state=state,
        after=read_cursor(cursor),
        limit=limit,
    )
    return {"items": items, "next": following}


@router.get("/v1/deliveries/{delivery_id}/attempts", response_model=list[AttemptOut], responses=_REFUSALS)
async def list_attempts(session: SessionDep, caller: CallerDep, delivery_id: UUID) -> object:
    """List every try to deliver a notice."""
    require(caller, *_READERS)
    return await endpoints.attempts(session, delivery_id, caller=caller)


@router.get("/v1/digests/{day}", response_model=list[DigestOut], responses=problems(401, 403, 422))
async def get_digest(
    session: SessionDep,
    caller: CallerDep,
    day: Annotated[date, Path(ge=date(1990, 1, 1), le=date(2200, 1, 1))],
) -> object:
    """Return a day's counts and a hash over its notice ids, for each endpoint of the caller's department."""
    require(caller, *_READERS)
    return await endpoints.digest(session, day, caller=caller)


@router.get("/v1/summary", response_model=SummaryOut, responses=problems(401, 403))
async def get_summary(session: SessionDep, caller: CallerDep) -> object:
    """Count notices by state."""
    require(caller, Role.REGULATOR, Role.ADMINISTRATOR)
    return await endpoints.summary(session)
