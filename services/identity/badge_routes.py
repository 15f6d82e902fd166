"""Doors of electronic identification: issuing and revoking for platforms and authorities, verifying for everybody."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from services.identity import badge_keys, badge_page, badges, questions
from services.identity.badge_checks import Check
from services.identity.badge_schemas import (
    BadgeIn,
    BadgeOut,
    KeySetOut,
    PublicOperatorOut,
    RevocationIn,
    RevocationList,
    VerificationIn,
    VerificationOut,
)
from services.identity.badge_tables import IssuedBadge
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.errors import Invalid
from shared.web import PICTURE, PublicSessionDep, SessionDep, picture, problems

_ISSUERS = (Role.PLATFORM, Role.REGULATOR, Role.ADMINISTRATOR)
_READERS = (*_ISSUERS, Role.INSPECTOR, Role.CUSTOMS, Role.TAX)
PageAddress = Annotated[str | None, Query(min_length=1, max_length=2_000)]
_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {}}}}


class BadQuestion(Invalid):
    """A look-up names neither a page nor an account, or both."""


router = APIRouter(tags=["electronic identification"])


@router.post("/v1/badges", status_code=201, response_model=BadgeOut, responses=problems(400, 401, 403, 404, 409, 422))
async def issue_badge(request: Request, session: SessionDep, caller: CallerDep, body: BadgeIn) -> object:
    """Issue a badge for a verified account; the one before is revoked."""
    require(caller, *_ISSUERS)
    now = utc_now()
    issued = await badges.issue(session, request.app.state.vault.masters, body.account_id, now=now, to=caller.subject)
    return _shown(request, issued)


@router.post(
    "/v1/badges/{badge_id}/revocation",
    response_model=BadgeOut,
    responses=problems(400, 401, 403, 404, 422),
)
async def revoke_badge(
    request: Request, session: SessionDep, caller: CallerDep, badge_id: UUID, body: RevocationIn
) -> object:
    """Revoke a badge; whoever verifies it from now on is told."""
    require(caller, *_ISSUERS)
    return _shown(request, await badges.revoke(session, badge_id, body.reason, now=utc_now()))


@router.post("/v1/badge-keys/rotation", response_model=KeySetOut, responses=problems(401, 403))
async def rotate_keys(request: Request, session: SessionDep, caller: CallerDep) -> object:
    """Sign with another key from now on; badges that are out go on being good."""
    require(caller, Role.ADMINISTRATOR)
    keys = await badge_keys.rotate(session, request.app.state.vault.masters, now=utc_now())
    return {"keys": [key.as_dict(private=False) for key in keys]}


@router.get("/v1/badges/{badge_id}", response_model=BadgeOut, responses=problems(401, 403, 404, 422))
async def get_badge(request: Request, session: SessionDep, caller: CallerDep, badge_id: UUID) -> object:
    """Return a badge as it was issued."""
    require(caller, *_READERS)
    return _shown(request, await badges.badge(session, badge_id))


@router.get("/.well-known/badge-keys.json", response_model=KeySetOut, responses=problems())
async def get_keys(session: PublicSessionDep) -> object:
    """Return the public keys that verify badges."""
    return {"keys": [key.as_dict(private=False) for key in await badge_keys.verifying_keys(session)]}


@router.get("/public/v1/badges/revoked", response_model=RevocationList, responses=problems())
async def list_revoked(session: PublicSessionDep) -> object:
    """List badges that were revoked."""
    return {"revoked": [{"id": one.id, "revoked_at": one.revoked_at} for one in await badges.revoked(session)]}


@router.post("/public/v1/badges/verification", response_model=VerificationOut, responses=problems(400, 422))
async def verify_badge(request: Request, session: PublicSessionDep, body: VerificationIn) -> object:
    """Say what a badge that is shown on a page is worth."""
    return _verdict(request, await badges.check_token(session, body.token, body.page, now=utc_now()))


@router.get("/public/v1/badges/{badge_id}", response_model=VerificationOut, responses=problems(422))
async def look_at_badge(
    request: Request, session: PublicSessionDep, badge_id: UUID, page: PageAddress = None
) -> object:
    """Say what the badge behind an id is worth, on a page if one is named."""
    return _verdict(request, await badges.check_id(session, badge_id, page, now=utc_now()))


@router.get("/public/badges/{badge_id}", response_class=HTMLResponse, responses={**_HTML, **problems(422)})
async def show_badge(request: Request, session: PublicSessionDep, badge_id: UUID, page: PageAddress = None) -> Response:
    """Show it as a page: where the QR code leads."""
    found = await badges.check_id(session, badge_id, page, now=utc_now())
    request.app.state.tally.note(found.status)
    return HTMLResponse(badge_page.page(found), headers=badge_page.HEADERS)


@router.get("/public/badges/{badge_id}/qr.svg", responses={**PICTURE, **problems(404, 422)}, response_class=Response)
async def show_qr_code(request: Request, session: PublicSessionDep, badge_id: UUID) -> Response:
    """Return the QR code of a badge's page."""
    found = await badges.badge(session, badge_id)
    return picture(badge_page.qr_code(_page(request, found)))


@router.get("/public/v1/lookup", response_model=PublicOperatorOut, responses=problems(404, 422))
async def look_up(
    session: PublicSessionDep,
    url: Annotated[str | None, Query(min_length=1, max_length=2_000)] = None,
    account: UUID | None = None,
) -> object:
    """Say who operates the shop that a page is of, or an account."""
    if (url is None) == (account is None):
        raise BadQuestion("name a url or an account", pointer="/query/url")
    return await questions.public(session, await questions.behind(session, account=account, url=url))


@router.get("/public/v1/operators/{operator_id}", response_model=PublicOperatorOut, responses=problems(404, 422))
async def get_public_operator(session: PublicSessionDep, operator_id: UUID) -> object:
    """Say which shops an operator has."""
    return await questions.public(session, operator_id)


def _page(request: Request, issued: IssuedBadge) -> str:
    return f"{request.app.state.settings.public_url.rstrip('/')}/public/badges/{issued.id}"


def _shown(request: Request, issued: IssuedBadge) -> dict[str, object]:
    columns = {column.key: getattr(issued, column.key) for column in IssuedBadge.__table__.columns}
    page = _page(request, issued)
    return {**columns, "page": page, "qr_code": f"{page}/qr.svg"}


def _verdict(request: Request, found: Check) -> dict[str, object]:
    request.app.state.tally.note(found.status)
    badge = found.badge
    said = None if badge is None else {**msgspec.structs.asdict(badge), "entity": badge.entity._asdict()}
    return {"status": found.status, "said": found.said, "badge": said}
