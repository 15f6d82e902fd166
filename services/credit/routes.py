"""Door 1 of credit: profiles, their facts and their explanation."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.credit import questions
from services.credit.schemas import (
    ExplanationOut,
    FactPage,
    ProfileOut,
    ProfilePage,
    PublicOut,
    SummaryOut,
)
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.paging import MAX_PAGE
from shared.web import PublicSessionDep, SessionDep, problems

router = APIRouter(tags=["credit"])

AsOf = Annotated[date | None, Query(ge=date(1990, 1, 1), le=date(2200, 1, 1))]
_READERS = (Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)
_REFUSALS = problems(401, 403, 404, 422)


@router.get("/v1/profiles", response_model=ProfilePage, responses=problems(401, 403, 422))
async def list_profiles(
    session: SessionDep,
    caller: CallerDep,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> object:
    """List every operator's score and level."""
    require(caller, *_READERS)
    items, following = await questions.profiles(session, after=cursor, limit=limit)
    return {"items": items, "next": following}


@router.get("/v1/profiles/{operator_id}", response_model=ProfileOut, responses=_REFUSALS)
async def get_profile(session: SessionDep, caller: CallerDep, operator_id: UUID, as_of: AsOf = None) -> object:
    """Return a profile with its four panels, at the end of a date (today)."""
    require(caller, *_READERS)
    return await questions.describe(session, operator_id, as_of or utc_now().date())


@router.get("/v1/profiles/{operator_id}/facts", response_model=FactPage, responses=_REFUSALS)
async def list_facts(
    session: SessionDep,
    caller: CallerDep,
    operator_id: UUID,
    as_of: AsOf = None,
    cursor: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> object:
    """List the facts a profile is made of, each with its event and its points."""
    require(caller, *_READERS)
    return await questions.facts(session, operator_id, as_of or utc_now().date(), offset=cursor, limit=limit)


@router.get("/v1/profiles/{operator_id}/explanation", response_model=ExplanationOut, responses=_REFUSALS)
async def get_explanation(session: SessionDep, caller: CallerDep, operator_id: UUID, as_of: AsOf = None) -> object:
    """Return where every point of a score comes from."""
    require(caller, *_READERS)
    return await questions.explain(session, operator_id, as_of or utc_now().date())


@router.get("/public/v1/operators/{operator_id}", response_model=PublicOut, responses=problems(404, 422))
async def get_public(session: PublicSessionDep, operator_id: UUID) -> object:
    """Return an operator's level, for anyone."""
    return await questions.public(session, operator_id, utc_now().date())


@router.get("/v1/summary", response_model=SummaryOut, responses=problems(401, 403))
async def get_summary(session: SessionDep, caller: CallerDep) -> object:
    """Count profiles and facts."""
    require(caller, *_READERS)
    return await questions.summary(session)
