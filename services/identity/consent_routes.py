"""Door 1 of identity: what persons agreed to, and messages without consent."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.identity import consents
from services.identity.consent_schemas import ConsentOut, ViolationPage
from shared.auth import CallerDep, Role, require
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["consent"])

_READERS = (Role.PLATFORM, Role.REGULATOR, Role.INSPECTOR, Role.ADMINISTRATOR)
_Word = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


@router.get("/v1/consents", response_model=list[ConsentOut], responses=problems(401, 403, 422))
async def list_consents(session: SessionDep, caller: CallerDep, platform: _Word, person: _Word) -> object:
    """List what a person said, by its platform's reference; a platform sees its own persons only."""
    require(caller, *_READERS)
    return await consents.consents(session, platform, person)


@router.get("/v1/consent-violations", response_model=ViolationPage, responses=problems(401, 403, 422))
async def list_violations(
    session: SessionDep,
    caller: CallerDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List messages that had no consent."""
    require(caller, *_READERS)
    items, following = await consents.violations(session, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}
