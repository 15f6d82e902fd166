"""Door 1 of risk, of single keys: buyers, devices, addresses, payers and the like."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from services.risk import known_keys
from services.risk.key_schemas import KeyOut
from shared.auth import CallerDep, Role, require
from shared.clock import EARLIEST, LATEST, utc_now
from shared.events.risk import KeyKind
from shared.web import SessionDep, problems

router = APIRouter(tags=["risk"])

_READERS = (Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)
_NO_NUL = r"^[^\x00]*$"
_Instant = Annotated[
    AwareDatetime | None,
    Query(ge=EARLIEST, le=LATEST, description="Now without it; not before the key's newest act"),
]


@router.get("/v1/keys/{kind}/{ref:path}", response_model=KeyOut, responses=problems(401, 403, 404, 422))
async def get_key(
    session: SessionDep,
    caller: CallerDep,
    kind: KeyKind,
    ref: Annotated[str, Path(max_length=500, pattern=_NO_NUL, description="A pair is `<account_id>/<buyer_ref>`")],
    platform_id: Annotated[str, Query(max_length=200, pattern=_NO_NUL)],
    as_of: _Instant = None,
) -> object:
    """Return what a key did within an hour, a day, a week and thirty days, and its open alerts."""
    require(caller, *_READERS)
    return await known_keys.known(session, kind, platform_id, ref, as_of=as_of, now=utc_now())
