"""Door 1 of identity: purges, and their certificates."""

from uuid import UUID

from fastapi import APIRouter, Request

from services.identity import purges
from services.identity.purge_schemas import CertificateIn, CertificateOut, PurgeIn, PurgeOut
from services.identity.purges import Asked
from services.identity.signed_texts import Forged
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.web import PublicSessionDep, SessionDep, problems

router = APIRouter(tags=["retention"])


@router.post("/v1/purges", status_code=201, response_model=PurgeOut, responses=problems(400, 401, 403, 404, 409, 422))
async def purge(request: Request, caller: CallerDep, body: PurgeIn) -> object:
    """Destroy the personal data of an account that ended long enough ago; refused before that."""
    require(caller, Role.ADMINISTRATOR)
    asked = Asked(body.account_id, caller.subject, utc_now())
    return await purges.purge(request.app.state.sessions, request.app.state.vault, asked)


@router.get("/v1/purges/{purge_id}", response_model=PurgeOut, responses=problems(401, 403, 404, 422))
async def get_purge(session: SessionDep, caller: CallerDep, purge_id: UUID) -> object:
    """Return a purge with its certificate."""
    require(caller, Role.ADMINISTRATOR, Role.REGULATOR)
    return await purges.found(session, purge_id)


@router.post("/public/v1/purges/verification", response_model=CertificateOut, responses=problems(400, 422))
async def verify_certificate(session: PublicSessionDep, body: CertificateIn) -> object:
    """Say whether a certificate is ours, and what it says."""
    try:
        said = await purges.read_certificate(session, body.certificate)
    except Forged as error:
        return {"holds": False, "said": str(error)}
    names = ("account_id", "operator_id", "keys_destroyed", "kept_until", "purged_at")
    shown = {name: getattr(said, name) for name in names}
    return {"holds": True, "said": f"personal data was destroyed on {said.purged_at.date()}", **shown}
