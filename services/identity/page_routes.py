"""Doors of pages: what was found on them, for who supervises; what platforms disclose, for everybody."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from services.identity import page_questions
from services.identity.page_questions import Asked
from services.identity.page_schemas import DisclosureOut, PageDetail, PageList, PageQuestion
from services.identity.page_tables import PageSnapshot
from shared.auth import CallerDep, Role, require
from shared.clock import EARLIEST, LATEST, utc_now
from shared.paging import read_cursor
from shared.web import PublicSessionDep, SessionDep, problems

router = APIRouter(tags=["pages"])

_READERS = (Role.PLATFORM, Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)
PlatformId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Instant = Annotated[AwareDatetime, Query(ge=EARLIEST, le=LATEST)]


@router.get("/v1/pages", response_model=PageList, responses=problems(401, 403, 422))
async def list_pages(session: SessionDep, caller: CallerDep, asked: Annotated[PageQuestion, Query()]) -> object:
    """List snapshots of pages; a platform sees its own."""
    require(caller, *_READERS)
    which = Asked(asked.operator, asked.account, asked.url, asked.finding, asked.kind)
    items, following = await page_questions.pages(session, which, after=read_cursor(asked.cursor), limit=asked.limit)
    return {"items": items, "next": following}


@router.get("/v1/pages/{page_id}", response_model=PageDetail, responses=problems(401, 403, 404, 422))
async def get_page(session: SessionDep, caller: CallerDep, page_id: UUID) -> object:
    """Return a snapshot with its evidence."""
    require(caller, *_READERS)
    return await page_questions.page(session, page_id)


@router.get("/v1/platforms/{platform}/disclosure", response_model=DisclosureOut, responses=problems(401, 403, 404, 422))
async def get_disclosure(
    session: SessionDep, caller: CallerDep, platform: PlatformId, as_of: Instant | None = None
) -> object:
    """Return what a platform's home page disclosed when it was last looked at before an instant (now)."""
    require(caller, *_READERS)
    return _report(await page_questions.disclosure(session, platform, as_of or utc_now()))


@router.get("/public/v1/platforms/{platform}/disclosure", response_model=DisclosureOut, responses=problems(404, 422))
async def show_disclosure(session: PublicSessionDep, platform: PlatformId, as_of: Instant | None = None) -> object:
    """Return the same to everybody."""
    return _report(await page_questions.disclosure(session, platform, as_of or utc_now()))


def _report(row: PageSnapshot) -> dict[str, object]:
    names = ("platform_id", "url", "captured_at", "sha256", "issues", "score", "items")
    return {"page_id": row.id, **{name: getattr(row, name) for name in names}}
