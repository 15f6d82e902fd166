"""Door 1 of risk, of the registry of payment institutions."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import institutions
from services.risk.institution_schemas import (
    CertificationIn,
    ChannelIn,
    EntriesIn,
    EntriesOut,
    EntryIn,
    EntryOut,
    InstitutionIn,
    InstitutionPage,
    WholeInstitutionOut,
)
from services.risk.institutions import By, InstitutionNotFound
from shared.auth import Caller, CallerDep, Role, require
from shared.clock import utc_now
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems

router = APIRouter(tags=["risk"])

InstitutionId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
_READERS = (Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)
_KEEPERS = (Role.REGULATOR, Role.ADMINISTRATOR)
_REFUSALS = problems(400, 401, 403, 404, 422)


@router.get("/v1/institutions", response_model=InstitutionPage, responses=problems(401, 403, 422))
async def list_institutions(
    session: SessionDep,
    caller: CallerDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List payment institutions, last registered first."""
    require(caller, *_READERS)
    items, following = await institutions.institutions(session, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}


@router.get(
    "/v1/institutions/{institution_id}", response_model=WholeInstitutionOut, responses=problems(401, 403, 404, 422)
)
async def get_institution(session: SessionDep, caller: CallerDep, institution_id: InstitutionId) -> object:
    """Return a payment institution with its certifications, channels, changes and alerts."""
    require(caller, *_READERS)
    return await institutions.whole(session, institution_id, now=utc_now())


@router.put("/v1/institutions/{institution_id}", response_model=WholeInstitutionOut, responses=_REFUSALS)
async def put_institution(
    session: SessionDep, caller: CallerDep, institution_id: InstitutionId, body: InstitutionIn
) -> object:
    """Register a payment institution, or name it anew."""
    by = _by(caller)
    await institutions.name_institution(session, institution_id, **body.model_dump(), by=by)
    return await institutions.whole(session, institution_id, now=by.at)


@router.post(
    "/v1/institutions/{institution_id}/certifications", response_model=WholeInstitutionOut, responses=_REFUSALS
)
async def state_certification(
    session: SessionDep, caller: CallerDep, institution_id: InstitutionId, body: CertificationIn
) -> object:
    """State a certification; with the same scheme, number and first day it is stated anew, as when it is withdrawn."""
    by = _by(caller)
    await institutions.certify(session, institution_id, body.model_dump(), by=by)
    return await institutions.whole(session, institution_id, now=by.at)


@router.post("/v1/institutions/{institution_id}/channels", response_model=WholeInstitutionOut, responses=_REFUSALS)
async def state_channel(
    session: SessionDep, caller: CallerDep, institution_id: InstitutionId, body: ChannelIn
) -> object:
    """State a channel that an institution may operate; with the same first day it is stated anew."""
    by = _by(caller)
    await institutions.permit(session, institution_id, body.model_dump(), by=by)
    return await institutions.whole(session, institution_id, now=by.at)


@router.post("/v1/institutions", response_model=EntriesOut, responses=problems(400, 401, 403, 422))
async def state_entries(session: SessionDep, caller: CallerDep, body: EntriesIn) -> object:
    """Take rows of a list of institutions, certifications and channels; each is answered by itself."""
    by = _by(caller)
    return {"results": [await _entered(session, row, entry, by) for row, entry in enumerate(body.entries)]}


def _by(caller: Caller) -> By:
    require(caller, *_KEEPERS)
    return By(caller.subject, utc_now())


async def _entered(session: AsyncSession, row: int, stated: dict[str, Any], by: By) -> EntryOut:
    """Take one row whole or refuse it whole."""
    try:
        entry = EntryIn.model_validate(stated)
        async with session.begin_nested():
            changed = await _enter(session, entry, by)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        # What is wrong with a whole row says itself in which field that shows.
        where = first["loc"] or (first.get("ctx", {}).get("field", ""),)
        pointer = "/".join(["", *map(str, where)])
        return EntryOut(row=row, outcome="refused", detail=_readable(first["msg"]), pointer=_readable(pointer))
    except InstitutionNotFound as error:
        return EntryOut(row=row, outcome="refused", detail=error.detail, pointer="/institution_id")
    return EntryOut(row=row, outcome="recorded" if changed else "unchanged")


async def _enter(session: AsyncSession, entry: EntryIn, by: By) -> bool:
    changed = False
    if entry.name is not None and entry.jurisdiction is not None:
        changed |= await institutions.name_institution(
            session, entry.institution_id, name=entry.name, jurisdiction=entry.jurisdiction, by=by
        )
    if (certification := entry.certification()) is not None:
        changed |= await institutions.certify(session, entry.institution_id, certification, by=by)
    if (permit := entry.permit()) is not None:
        changed |= await institutions.permit(session, entry.institution_id, permit, by=by)
    return changed


def _readable(text: str) -> str:
    """Return a text that can be sent: a name of a field may hold half a character."""
    return text.encode("utf-8", "replace").decode()
