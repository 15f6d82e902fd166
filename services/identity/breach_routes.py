"""Doors of personal data breaches: reported, acted on, followed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.identity import breaches
from services.identity.breach_schemas import BreachActIn, BreachFileOut, BreachIn, BreachOut, BreachPage
from services.identity.breaches import Act, Report
from shared.auth import Caller, CallerDep, Role, require
from shared.clock import utc_now
from shared.errors import Forbidden
from shared.messaging import publish
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["breaches"])

_REPORTERS = (Role.PLATFORM, Role.REGULATOR, Role.ADMINISTRATOR)
_READERS = (*_REPORTERS, Role.INSPECTOR)


@router.post("/v1/breaches", status_code=201, response_model=BreachOut, responses=problems(400, 401, 403, 409, 422))
async def report_breach(session: SessionDep, caller: CallerDep, body: BreachIn) -> object:
    """Report a leak: a platform its own, an administrator one of this installation; the same one twice is one."""
    require(caller, *_REPORTERS)
    stated = Report(**{**body.model_dump(), "platform_id": _whose(caller, body.platform_id)})
    stated = stated._replace(jurisdictions=sorted(set(stated.jurisdictions)))
    found, events = await breaches.report(session, stated, by=caller.subject, at=utc_now())
    await publish(session, events, source="identity")
    return found


@router.post(
    "/v1/breaches/{breach_id}/acts",
    status_code=201,
    response_model=BreachFileOut,
    responses=problems(400, 401, 403, 404, 409, 422),
)
async def act_on_breach(session: SessionDep, caller: CallerDep, breach_id: UUID, body: BreachActIn) -> object:
    """Say what was done about a leak; it is closed once it is contained and everybody was told."""
    require(caller, *_REPORTERS)
    done = Act(body.kind, body.jurisdiction, body.at or utc_now(), caller.subject, body.evidence)
    await publish(session, await breaches.act(session, breach_id, done), source="identity")
    return await breaches.breach(session, breach_id)


@router.get("/v1/breaches", response_model=BreachPage, responses=problems(401, 403, 422))
async def list_breaches(
    session: SessionDep,
    caller: CallerDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List leaks; a platform sees its own."""
    require(caller, *_READERS)
    items, following = await breaches.breaches(session, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}


@router.get("/v1/breaches/{breach_id}", response_model=BreachFileOut, responses=problems(401, 403, 404, 422))
async def get_breach(session: SessionDep, caller: CallerDep, breach_id: UUID) -> object:
    """Return a leak with what is to be done by when, and what was."""
    require(caller, *_READERS)
    return await breaches.breach(session, breach_id)


def _whose(caller: Caller, stated: str | None) -> str:
    if caller.role is Role.PLATFORM:
        own = caller.platform_id or ""
        if stated not in (None, own):
            raise Forbidden("a platform reports its own leaks", pointer="/body/platform_id")
        return own
    return stated or ""
