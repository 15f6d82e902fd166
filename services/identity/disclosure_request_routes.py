"""Doors of disclosure requests: a consumer asks, its platform answers in time, the consumer reads."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.identity import disclosure_requests
from services.identity.disclosure_request_schemas import (
    DisclosureAnswerIn,
    DisclosureIn,
    DisclosureOut,
    DisclosurePage,
    DisclosureReadOut,
)
from services.identity.disclosure_requests import Demand
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["disclosure requests"])

_PARTIES = (Role.CONSUMER, Role.PLATFORM, Role.REGULATOR, Role.INSPECTOR, Role.ADMINISTRATOR)


@router.post(
    "/v1/disclosure-requests",
    status_code=201,
    response_model=DisclosureOut,
    responses={200: {"model": DisclosureOut}, **problems(400, 401, 403, 404, 409, 422)},
)
async def request_disclosure(session: SessionDep, caller: CallerDep, body: DisclosureIn, response: Response) -> object:
    """Demand of a platform who a seller is: 201, or 200 where the same demand waits for its answer."""
    require(caller, Role.CONSUMER)
    demand = Demand(**body.model_dump())
    found, is_new = await disclosure_requests.request(session, demand, caller, at=utc_now())
    response.status_code = 201 if is_new else 200
    return found


@router.get("/v1/disclosure-requests", response_model=DisclosurePage, responses=problems(401, 403, 422))
async def list_disclosures(
    session: SessionDep,
    caller: CallerDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List the requests the caller is a party of; an official sees all."""
    require(caller, *_PARTIES)
    items, following = await disclosure_requests.requests(
        session, caller=caller, after=read_cursor(cursor), limit=limit
    )
    return {"items": items, "next": following}


@router.get(
    "/v1/disclosure-requests/{request_id}", response_model=DisclosureOut, responses=problems(401, 403, 404, 422)
)
async def get_disclosure(session: SessionDep, caller: CallerDep, request_id: UUID) -> object:
    """Return one request."""
    require(caller, *_PARTIES)
    return await disclosure_requests.find(session, request_id, caller=caller)


@router.post(
    "/v1/disclosure-requests/{request_id}/answer",
    response_model=DisclosureOut,
    responses=problems(400, 401, 403, 404, 409, 422),
)
async def answer_disclosure(request: Request, caller: CallerDep, request_id: UUID, body: DisclosureAnswerIn) -> object:
    """Say as the platform who the seller is."""
    require(caller, Role.PLATFORM)
    state = request.app.state
    return await disclosure_requests.answer(state.sessions, state.vault, request_id, body.model_dump(), caller)


@router.post(
    "/v1/disclosure-requests/{request_id}/reading",
    status_code=201,
    response_model=DisclosureReadOut,
    responses=problems(401, 403, 404, 409, 422),
)
async def read_disclosure(request: Request, caller: CallerDep, request_id: UUID) -> object:
    """Open the answer to one's own request; that it is read is stored before."""
    require(caller, Role.CONSUMER)
    state = request.app.state
    return await disclosure_requests.read(state.sessions, state.vault, request_id, caller, utc_now())
