"""Door 1 of identity: the register as of any instant."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from services.identity import link_questions, lookups, questions, search_questions
from services.identity.conditions import entity_kind
from services.identity.gate import Applicant, conditions_for
from services.identity.rule_values import RuleValues
from services.identity.schemas import (
    ConditionList,
    ConditionQuestion,
    LinkPage,
    OperatorOut,
    OperatorPage,
    OperatorQuestion,
    SummaryOut,
)
from shared.auth import CallerDep, Role, require
from shared.clock import EARLIEST, LATEST, utc_now
from shared.database import kept
from shared.errors import Invalid
from shared.paging import MAX_PAGE
from shared.web import PICTURE, SessionDep, picture, problems

router = APIRouter(tags=["identity"])

_READERS = (Role.PLATFORM, Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)
_SUPERVISORS = (Role.REGULATOR, Role.INSPECTOR, Role.ADMINISTRATOR)
_LINK_READERS = (Role.PLATFORM, *_SUPERVISORS)
Instant = Annotated[AwareDatetime, Query(ge=EARLIEST, le=LATEST)]
_REFUSALS = problems(401, 403, 404, 422)


class BadQuestion(Invalid):
    """A look-up names none of an account, a number and a url, or several; or a search asks what has no one answer."""


@router.get("/v1/operators", response_model=OperatorPage, responses=problems(401, 403, 422))
async def list_operators(session: SessionDep, caller: CallerDep, asked: Annotated[OperatorQuestion, Query()]) -> object:
    """List operators, by a name that need not be spelt so, and by more; a platform's own only, for a platform.

    They are found by what is known of them now, or as of an instant; with `former` by names that they had too.
    """
    require(caller, *_READERS)
    if asked.former and (asked.name is None or asked.as_of is not None):
        raise BadQuestion("names of before are looked for by a name, and without an instant", pointer="/query/former")
    wanted = search_questions.Wanted(
        jurisdiction=asked.jurisdiction,
        # A platform sees no others, and looks among its own only.
        platform=asked.platform or (caller.platform_id if caller.role is Role.PLATFORM else None),
        entity_kind=entity_kind(asked.entity_type) if asked.entity_type is not None else None,
        state=asked.state,
        verdict=asked.verdict,
        first_day=asked.registered_from,
        last_day=asked.registered_to,
        as_of=asked.as_of,
        former=asked.former,
    )
    if asked.name is not None:
        ask = partial(search_questions.named, session, asked.name)
    else:
        ask = partial(search_questions.listed, session)
    items, following = await ask(wanted, after=asked.cursor, limit=asked.limit)
    return {"items": items, "next": following}


@router.get("/v1/operators/{operator_id}", response_model=OperatorOut, responses=_REFUSALS)
async def get_operator(
    session: SessionDep, caller: CallerDep, operator_id: UUID, as_of: Instant | None = None
) -> object:
    """Return an operator with its accounts and their files, as of an instant (now)."""
    require(caller, *_READERS)
    return await lookups.operator(session, lookups.by_id(operator_id), as_of or utc_now())


@router.get("/v1/operators/{operator_id}/links", response_model=LinkPage, responses=_REFUSALS)
async def list_links(
    session: SessionDep,
    caller: CallerDep,
    operator_id: UUID,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List whom an operator is linked to; for a platform, which of its own accounts are linked to a banned one."""
    require(caller, *_LINK_READERS)
    ask = link_questions.own_accounts if caller.role is Role.PLATFORM else link_questions.linked
    items, following = await ask(session, operator_id, after=cursor, limit=limit)
    return {"items": items, "next": following}


@router.get(
    "/v1/operators/{operator_id}/links/picture",
    response_class=Response,
    responses={**PICTURE, **_REFUSALS},
)
async def get_links_picture(session: SessionDep, caller: CallerDep, operator_id: UUID) -> Response:
    """Return whom an operator is linked to as a picture: what speaks for it, and who of them was banned."""
    require(caller, *_SUPERVISORS)
    content = await link_questions.drawn(session, operator_id)
    return picture(content)


@router.get("/v1/lookup", response_model=OperatorOut, responses=_REFUSALS)
async def lookup(
    session: SessionDep,
    caller: CallerDep,
    account: UUID | None = None,
    number: Annotated[str | None, Query(min_length=1, max_length=80)] = None,
    url: Annotated[str | None, Query(min_length=1, max_length=2_000)] = None,
) -> object:
    """Return the operator behind an account, a registration number, or the shop that a page is of."""
    require(caller, *_READERS)
    if sum(one is not None for one in (account, number, url)) != 1:
        raise BadQuestion("name an account, a number or a url", pointer="/query/account")
    if number is not None and "\x00" in number:
        raise BadQuestion("a number has no U+0000", pointer="/query/number")
    if account is not None:
        which = lookups.by_account(account)
    else:
        which = lookups.by_number(number) if number is not None else lookups.by_page(url or "")
    return await lookups.operator(session, which, utc_now())


@router.get("/v1/conditions", response_model=ConditionList, responses=problems(401, 403, 422))
async def list_conditions(
    session: SessionDep, caller: CallerDep, asked: Annotated[ConditionQuestion, Query()]
) -> object:
    """List what is asked of an operator before it is let in, with articles and remedies, on a day (today)."""
    require(caller, *_READERS, Role.OPERATOR)
    values = kept(session, RuleValues)
    await values.refresh(session)
    day = asked.on or utc_now().date()
    applicant = Applicant(asked.jurisdiction, asked.entity_type, asked.mode, asked.category)
    return {"on": day, "items": [one._asdict() for one in conditions_for(applicant, values, on=day)]}


@router.get("/v1/summary", response_model=SummaryOut, responses=problems(401, 403))
async def get_summary(session: SessionDep, caller: CallerDep) -> object:
    """Count accounts and verdicts."""
    require(caller, Role.PLATFORM, Role.REGULATOR, Role.ADMINISTRATOR)
    return await questions.summary(session)
