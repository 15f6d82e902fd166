"""Door 1 of identity, of public registers."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.identity import registry
from services.identity.registry_schemas import (
    EntryHistory,
    EntryQuestion,
    ExtractList,
    RegistryHits,
    RegistryQuestion,
)
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.errors import Invalid
from shared.web import SessionDep, problems

router = APIRouter(tags=["identity"])

_READERS = (Role.PLATFORM, Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)


class BadRegistryQuestion(Invalid):
    """A look-up names neither a number nor a name, or both."""


@router.get("/v1/registry", response_model=RegistryHits, responses=problems(401, 403, 404, 422))
async def look_up(session: SessionDep, caller: CallerDep, asked: Annotated[RegistryQuestion, Query()]) -> object:
    """Find a number, or a name and names near it, in a register as of a day (today)."""
    require(caller, *_READERS)
    day = asked.as_of or utc_now().date()
    where = {"jurisdiction": asked.jurisdiction, "scheme": asked.scheme}
    if asked.number is not None and asked.name is None:
        entry = await registry.by_number(session, **where, number=asked.number, on=day)
        return {"as_of": day, "items": [{"entry": entry, "likeness": "same", "score": 1.0}]}
    if asked.name is None or asked.number is not None:
        raise BadRegistryQuestion("name a number or a name", pointer="/query/number")
    hits = await registry.by_name(session, **where, name=asked.name, on=day)
    items = [{"entry": hit.entry, "likeness": hit.comparison.likeness, "score": hit.comparison.score} for hit in hits]
    return {"as_of": day, "items": items}


@router.get("/v1/registry/history", response_model=EntryHistory, responses=problems(401, 403, 422))
async def get_history(session: SessionDep, caller: CallerDep, asked: Annotated[EntryQuestion, Query()]) -> object:
    """Return everything a register said of a number, with the days it held between."""
    require(caller, *_READERS)
    items = await registry.history(session, **asked.model_dump())
    return {"items": items}


@router.get("/v1/registry/extracts", response_model=ExtractList, responses=problems(401, 403))
async def list_extracts(session: SessionDep, caller: CallerDep) -> object:
    """List the newest two hundred extracts that were loaded."""
    require(caller, *_READERS)
    return {"items": await registry.extracts(session)}
