"""Door 1 of disputes: filing, resolving and following complaints."""

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from services.disputes import complaints, liabilities
from services.disputes.complaints import Filing
from services.disputes.schemas import (
    ComplaintIn,
    ComplaintOut,
    ComplaintPage,
    LiabilityPage,
    ResolutionIn,
    StepOut,
    SummaryOut,
)
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["disputes"])

_PARTIES = (Role.CONSUMER, Role.PLATFORM, Role.REGULATOR, Role.INSPECTOR, Role.ADMINISTRATOR)
_OFFICIALS = (Role.REGULATOR, Role.ADMINISTRATOR)


@router.post(
    "/v1/complaints",
    status_code=201,
    response_model=ComplaintOut,
    responses={200: {"model": ComplaintOut}, **problems(400, 401, 403, 409, 422)},
)
async def file_complaint(
    session: SessionDep,
    caller: CallerDep,
    body: ComplaintIn,
    response: Response,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")],
) -> object:
    """File a complaint with a consumer's token: 201, or 200 for the same key and the same body again."""
    require(caller, Role.CONSUMER)
    digest = hashlib.blake2b(body.model_dump_json().encode(), digest_size=16).digest()
    filing = Filing(**body.model_dump(), idempotency_key=idempotency_key, body_hash=digest)
    complaint, new = await complaints.file_complaint(session, filing=filing, caller=caller, now=utc_now())
    response.status_code = 201 if new else 200
    return complaint


@router.post(
    "/v1/complaints/{complaint_id}/resolution",
    response_model=ComplaintOut,
    responses=problems(400, 401, 403, 404, 409, 422),
)
async def resolve_complaint(session: SessionDep, caller: CallerDep, complaint_id: UUID, body: ResolutionIn) -> object:
    """End a complaint with a regulator's token; the same outcome twice changes nothing."""
    require(caller, *_OFFICIALS)
    return await complaints.resolve_complaint(
        session, complaint_id, outcome=body.outcome, note=body.note, caller=caller, now=utc_now()
    )


@router.get("/v1/complaints", response_model=ComplaintPage, responses=problems(401, 403, 422))
async def list_complaints(
    session: SessionDep,
    caller: CallerDep,
    account_id: UUID | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List the complaints the caller is a party of; an official sees all."""
    require(caller, *_PARTIES)
    items, following = await complaints.complaints(
        session, caller=caller, account=account_id, after=read_cursor(cursor), limit=limit
    )
    return {"items": items, "next": following}


@router.get("/v1/complaints/{complaint_id}", response_model=ComplaintOut, responses=problems(401, 403, 404, 422))
async def get_complaint(session: SessionDep, caller: CallerDep, complaint_id: UUID) -> object:
    """Return one complaint."""
    require(caller, *_PARTIES)
    return await complaints.find(session, complaint_id, caller=caller)


@router.get(
    "/v1/complaints/{complaint_id}/timeline",
    response_model=list[StepOut],
    responses=problems(401, 403, 404, 422),
)
async def get_timeline(session: SessionDep, caller: CallerDep, complaint_id: UUID) -> object:
    """Return everything that happened to a complaint."""
    require(caller, *_PARTIES)
    return await complaints.timeline(session, complaint_id, caller=caller)


@router.get("/v1/liabilities", response_model=LiabilityPage, responses=problems(401, 403, 422))
async def list_liabilities(
    session: SessionDep,
    caller: CallerDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List platforms that are to pay in a seller's place, as far as the caller is a party; an official sees all."""
    require(caller, *_PARTIES)
    items, following = await liabilities.liabilities(session, caller=caller, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}


@router.get("/v1/summary", response_model=SummaryOut, responses=problems(401, 403))
async def get_summary(session: SessionDep, caller: CallerDep) -> object:
    """Count complaints."""
    require(caller, *_OFFICIALS)
    return await complaints.summary(session)
