"""Door 1 of listings: questions about offers and trade."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.listings import questions
from services.listings.schemas import ListingOut, SummaryOut, TransactionOut
from shared.auth import CallerDep, Role, require
from shared.web import SessionDep, problems

router = APIRouter(tags=["listings"])

# PostgreSQL has no text with U+0000, so that nothing can have such a name.
Ref = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$")]
_READERS = (Role.PLATFORM, Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)
_REFUSALS = problems(401, 403, 404, 422)


@router.get("/v1/listings/{platform_id}/{listing_ref}", response_model=ListingOut, responses=_REFUSALS)
async def get_listing(session: SessionDep, caller: CallerDep, platform_id: Ref, listing_ref: Ref) -> object:
    """Return an offer as it stands."""
    require(caller, *_READERS)
    return await questions.listing(session, platform_id, listing_ref)


@router.get("/v1/transactions/{platform_id}/{order_ref}", response_model=TransactionOut, responses=_REFUSALS)
async def get_transaction(session: SessionDep, caller: CallerDep, platform_id: Ref, order_ref: Ref) -> object:
    """Return a transaction with its documents, its class and the reasons."""
    require(caller, *_READERS)
    return await questions.transaction(session, platform_id, order_ref)


@router.get("/v1/summary", response_model=SummaryOut, responses=problems(401, 403))
async def get_summary(session: SessionDep, caller: CallerDep) -> object:
    """Count what was accepted and how it matched; a platform's own only, for a platform."""
    require(caller, Role.PLATFORM, Role.REGULATOR, Role.ADMINISTRATOR)
    return await questions.summary(session)
