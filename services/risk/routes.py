"""Door 1 of risk: questions about alerts, assessments, declarations, operators, rules and models."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query

from services.risk import declared, questions
from services.risk.schemas import (
    AlertOut,
    AlertPage,
    AssessmentOut,
    DeclarationOut,
    DeclarationPage,
    ModelOut,
    OperatorOut,
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


@router.get(
    "/v1/assessments/{platform_id}/{order_ref}",
    response_model=AssessmentOut,
    responses=problems(401, 403, 404, 422),
)
async def get_assessment(session: SessionDep, caller: CallerDep, platform_id: Ref, order_ref: Ref) -> object:
    """Return what a transaction scored and which rules it hit."""
    require(caller, *_READERS)
    return await questions.assessment(session, platform_id, order_ref)


@router.get("/v1/declarations", response_model=DeclarationPage, responses=problems(401, 403, 422))
async def list_declarations(
    session: SessionDep,
    caller: CallerDep,
    channel: Literal["release", "document_check", "inspection"] | None = None,
    day: Annotated[date | None, Query(description="Day it was lodged on")] = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List declarations, newest first."""
    require(caller, *_READERS)
    items, following = await declared.declarations(
        session, channel=channel, day=day, after=read_cursor(cursor), limit=limit
    )
    return {"items": items, "next": following}


@router.get(
    "/v1/declarations/{platform_id}/{declaration_ref}",
    response_model=DeclarationOut,
    responses=problems(401, 403, 404, 422),
)
async def get_declaration(session: SessionDep, caller: CallerDep, platform_id: Ref, declaration_ref: Ref) -> object:
    """Return a declaration with its channel, the reasons, and what an inspection found."""
    require(caller, *_READERS)
    return await declared.declaration(session, platform_id, declaration_ref)


@router.get("/v1/models", response_model=list[ModelOut], responses=problems(401, 403))
async def list_models(session: SessionDep, caller: CallerDep) -> object:
    """List trained models, the newest first, with their cards."""
    require(caller, *_READERS)
    return await declared.models(session)


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
    """Count assessments, alerts and declarations."""
    require(caller, *_READERS)
    return {**await questions.summary(session), "declarations": await declared.summary(session)}
