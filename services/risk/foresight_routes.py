"""Door 1 of risk, of forecasts of operators and warnings."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.risk import standings, warned
from services.risk.foresight_schemas import AccuracyOut, TrackOut, WarningPage
from shared.auth import CallerDep, Role, require
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["risk"])

_READERS = (Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)


@router.get("/v1/forecasts", response_model=dict[str, TrackOut], responses=problems(401, 403))
async def get_forecasts(session: SessionDep, caller: CallerDep) -> object:
    """Return what forecasts of violations within thirty days came to, by class."""
    require(caller, *_READERS)
    return {risk_class: own._asdict() for risk_class, own in (await standings.track(session)).items()}


@router.get("/v1/forecasts/accuracy", response_model=AccuracyOut, responses=problems(401, 403))
async def get_accuracy(session: SessionDep, caller: CallerDep) -> object:
    """Return how forecasts by class and by each model, and warnings, were held against what happened."""
    require(caller, *_READERS)
    return {"forecasts": await warned.accuracy(session), "warnings": await warned.track(session)}


@router.get("/v1/warnings", response_model=WarningPage, responses=problems(401, 403, 422))
async def list_warnings(
    session: SessionDep,
    caller: CallerDep,
    operator_id: UUID | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List operators whose chance of something severe rose over the threshold, newest first."""
    require(caller, *_READERS)
    items, following = await warned.warnings(session, operator_id=operator_id, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}
