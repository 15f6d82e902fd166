"""Door 1 of risk: questions about alerts, assessments, operators and rules."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from services.risk import questions
from services.risk.schemas import (
    AlertOut,
    AlertPage,
    AssessmentOut,
    OperatorOut,
    RingOut,
    RingPage,
    RuleOut,
    SummaryOut,
)
from shared.auth import CallerDep, Role, require
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["risk"])

# PostgreSQL has no text with U+0000, so that nothing can have such a name.
Ref = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$")]
_READERS = (Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)


@router.get("/v1/alerts", response_model=AlertPage, responses=problems(401, 403, 422))
async def list_alerts(
    session: SessionDep,
    caller: CallerDep,
    account_id: UUID | None = None,
    rule: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List alerts, newest first."""
    require(caller, *_READERS)
    items, following = await questions.alerts(
        session, account_id=account_id, rule=rule, after=read_cursor(cursor), limit=limit
    )
    return {"items": items, "next": following}


@router.get("/v1/alerts/{alert_id}", response_model=AlertOut, responses=problems(401, 403, 404, 422))
async def get_alert(session: SessionDep, caller: CallerDep, alert_id: UUID) -> object:
    """Return one alert with its contributions."""
    require(caller, *_READERS)
    return await questions.alert(session, alert_id)


@router.get("/v1/rings", response_model=RingPage, responses=problems(401, 403, 422))
async def list_rings(
    session: SessionDep,
    caller: CallerDep,
    account_id: UUID | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List rings of buyers and shops, last seen first."""
    require(caller, *_READERS)
    items, following = await questions.rings(session, account_id=account_id, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}


@router.get("/v1/rings/{ring_id}", response_model=RingOut, responses=problems(401, 403, 404, 422))
async def get_ring(session: SessionDep, caller: CallerDep, ring_id: UUID) -> object:
    """Return one ring with its members."""
    require(caller, *_READERS)
    return await questions.ring(session, ring_id)


@router.get(
    "/v1/assessments/{platform_id}/{order_ref}",
    response_model=AssessmentOut,
    responses=problems(401, 403, 404, 422),
)
async def get_assessment(session: SessionDep, caller: CallerDep, platform_id: Ref, order_ref: Ref) -> object:
    """Return what a transaction scored and which rules it hit."""
    require(caller, *_READERS)
    return await questions.assessment(session, platform_id, order_ref)


@router.get("/v1/operators/{identifier}", response_model=OperatorOut, responses=problems(401, 403, 404, 422))
async def get_operator(session: SessionDep, caller: CallerDep, identifier: UUID) -> object:
    """Roll up what risk knows of an operator or of one account."""
    require(caller, *_READERS)
    return await questions.operator(session, identifier)


@router.get("/v1/rules", response_model=list[RuleOut], responses=problems(401, 403))
async def list_rules(session: SessionDep, caller: CallerDep) -> object:
    """List every version of every rule with its source."""
    require(caller, *_READERS)
    return await questions.rules(session)


@router.get("/v1/summary", response_model=SummaryOut, responses=problems(401, 403))
async def get_summary(session: SessionDep, caller: CallerDep) -> object:
    """Count assessments and alerts."""
    require(caller, *_READERS)
    return await questions.summary(session)
