"""Door 1 of identity: personal data, for a purpose, and who read it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.identity import personal_reads
from services.identity.personal_reads import Asked, Reader
from services.identity.personal_schemas import PersonalOut, PersonalReadIn, PersonalReadOut, PersonalReadPage
from services.identity.vault import Vault
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.database import transaction
from shared.paging import MAX_PAGE, read_cursor
from shared.web import SessionDep, problems


def personal_router(vault: Vault) -> APIRouter:
    """Return the routes that open what the vault sealed."""
    router = APIRouter(tags=["personal data"])

    @router.post(
        "/v1/personal-reads",
        status_code=201,
        response_model=PersonalOut,
        responses=problems(400, 401, 403, 404, 422),
    )
    async def read_personal_data(request: Request, caller: CallerDep, body: PersonalReadIn) -> object:
        """Read personal data of an operator for a purpose; that it is read is stored before it is."""
        require(caller, Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)
        reader, asked = Reader(caller.role, caller.subject), Asked(body.purpose, body.reason, body.fields)
        now = utc_now()
        async with transaction(request.app.state.sessions) as session:
            await personal_reads.permit(session, reader, body.purpose, at=now)
            sealed = await personal_reads.sealed_of(session, body.operator_id, body.fields)
            read = personal_reads.note(session, reader, asked, [one.account.id for one in sealed], at=now)
        # Only now that it is committed.
        shown = PersonalReadOut.model_validate(read, from_attributes=True)
        return {"read": shown, "accounts": await personal_reads.opened(vault, sealed)}

    @router.get("/v1/personal-reads", response_model=PersonalReadPage, responses=problems(400, 401, 403, 422))
    async def list_reads(
        session: SessionDep,
        caller: CallerDep,
        account: UUID | None = None,
        cursor: Annotated[str | None, Query(max_length=500)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> object:
        """List who read personal data, and what for."""
        require(caller, Role.REGULATOR, Role.ADMINISTRATOR)
        items, following = await personal_reads.reads(session, account=account, after=read_cursor(cursor), limit=limit)
        return {"items": items, "next": following}

    return router
