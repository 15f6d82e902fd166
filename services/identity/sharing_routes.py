"""Doors of sharing: departments ask for what was handed in once; the meter counts what nobody was asked for again."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from services.identity import sharing
from services.identity.personal_reads import Reader
from services.identity.sharing import DEPARTMENTS, Question
from services.identity.sharing_schemas import (
    MeterOut,
    ProjectionCheckOut,
    ProjectionFieldOut,
    ProjectionIn,
    ProjectionOut,
    ProjectionTokenIn,
)
from services.identity.signed_texts import Forged
from shared.auth import CallerDep, Role, require
from shared.clock import EARLIEST, LATEST, utc_now
from shared.web import PublicSessionDep, SessionDep, problems

router = APIRouter(tags=["sharing"])

_Instant = Annotated[AwareDatetime, Query(ge=EARLIEST, le=LATEST)]
_MONTH = timedelta(days=30)


@router.post(
    "/v1/projections", status_code=201, response_model=ProjectionOut, responses=problems(400, 401, 403, 404, 422)
)
async def share_operator(request: Request, caller: CallerDep, body: ProjectionIn) -> object:
    """Return what the caller's department may see of an operator, signed; personal data for a purpose only."""
    require(caller, *DEPARTMENTS)
    department, now = DEPARTMENTS[caller.role], utc_now()
    asked = Question(body.operator_id, department, body.purpose, body.reason, body.known)
    state = request.app.state
    row, token = await sharing.share(state.sessions, state.vault, asked, Reader(caller.role, caller.subject), now)
    return {
        "id": row.id,
        "department": department,
        "files": row.files,
        "unchanged": row.is_unchanged,
        "projection": token,
    }


@router.get("/v1/projections/fields", response_model=list[ProjectionFieldOut], responses=problems(401, 403, 422))
async def list_fields(session: SessionDep, caller: CallerDep, on: _Instant | None = None) -> object:
    """List what the caller's department may see, and why; an administrator sees it of all."""
    require(caller, *DEPARTMENTS, Role.ADMINISTRATOR)
    own = DEPARTMENTS.get(caller.role)
    departments = [own] if own is not None else sorted(set(DEPARTMENTS.values()))
    day = (on or utc_now()).date()
    return [row for department in departments for row in await sharing.fields_of(session, department, day)]


@router.get("/v1/sharing", response_model=MeterOut, responses=problems(401, 403, 422))
async def get_meter(
    session: SessionDep, caller: CallerDep, since: _Instant | None = None, until: _Instant | None = None
) -> object:
    """Count what was handed in and asked for, over the last thirty days or another time."""
    require(caller, *DEPARTMENTS, Role.ADMINISTRATOR)
    last = until or utc_now()
    return await sharing.meter(session, since or last - _MONTH, last)


@router.post("/public/v1/projections/verification", response_model=ProjectionCheckOut, responses=problems(400, 422))
async def verify_projection(session: PublicSessionDep, body: ProjectionTokenIn) -> object:
    """Say whether a projection is ours and unchanged; what it says of the operator is for who holds it."""
    try:
        said = await sharing.read(session, body.projection)
    except Forged as error:
        return {"holds": False, "said": str(error)}
    names = ("department", "operator_id", "issued_at")
    shown = {name: getattr(said, name) for name in names}
    return {"holds": True, "said": f"made for {said.department} on {said.issued_at.date()}", **shown}
