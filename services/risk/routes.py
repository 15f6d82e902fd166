"""Door 1 of risk: questions about alerts, assessments, chains, declarations, operators, rules and models."""

from datetime import date, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from services.risk import (
    alerts,
    backtests,
    chains,
    chancing,
    declared,
    questions,
    ring_pictures,
    rule_figures,
    rule_life,
    totals,
)
from services.risk.feature_log import KEPT_DAYS
from services.risk.models import Rule
from services.risk.rule_schemas import (
    ApprovalIn,
    BacktestOut,
    RetirementIn,
    RuleFiguresOut,
    RuleIn,
    RuleOut,
    SpanIn,
)
from services.risk.schemas import (
    AlertOut,
    AlertPage,
    AlertQuery,
    AssessmentOut,
    ChainOut,
    DeclarationOut,
    DeclarationPage,
    IncidentPage,
    InvestigationPage,
    LinkOut,
    ModelOut,
    MonthOut,
    OperatorOut,
    RingOut,
    RingPage,
    SummaryOut,
    VerdictIn,
    VerificationOut,
)
from shared.auth import CallerDep, Role, require
from shared.clock import utc_now
from shared.events.platform import IncidentKind
from shared.paging import MAX_PAGE, read_cursor
from shared.web import PICTURE, SessionDep, picture, problems

router = APIRouter(tags=["risk"])

# PostgreSQL has no text with U+0000, so that nothing can have such a name.
Ref = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$")]
Code = Annotated[str, Path(max_length=100, pattern=r"^[^\x00]*$")]
Place = Annotated[int, Path(ge=1, le=2**62)]
Version = Annotated[int, Path(ge=1, le=1_000_000)]
_RULE_REFUSALS = problems(400, 401, 403, 404, 409, 422)
_RULE_MAKERS = (Role.REGULATOR, Role.ADMINISTRATOR)
_ANALYSTS = (Role.REGULATOR, Role.INSPECTOR, Role.ADMINISTRATOR)
_READERS = (Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR)


@router.get("/v1/alerts", response_model=AlertPage, responses=problems(401, 403, 422))
async def list_alerts(session: SessionDep, caller: CallerDep, asked: Annotated[AlertQuery, Query()]) -> object:
    """List alerts, newest first, or those that nobody has judged by the chance that they are confirmed."""
    require(caller, *_READERS)
    if asked.order == "chance":
        behind = chancing.read_chance_cursor(asked.cursor)
        items, following = await chancing.worth_looking_at(
            session, account_id=asked.account_id, rule=asked.rule, after=behind, limit=asked.limit
        )
    else:
        items, following = await questions.alerts(
            session, account_id=asked.account_id, rule=asked.rule, after=read_cursor(asked.cursor), limit=asked.limit
        )
    return {"items": items, "next": following}


@router.get("/v1/alerts/{alert_id}", response_model=AlertOut, responses=problems(401, 403, 404, 422))
async def get_alert(session: SessionDep, caller: CallerDep, alert_id: UUID) -> object:
    """Return one alert with its contributions."""
    require(caller, *_READERS)
    return await questions.alert(session, alert_id)


@router.get("/v1/rings", response_model=RingPage, responses=problems(401, 403, 422))
async def list_rings(
    session: SessionDep,
    caller: CallerDep,
    account_id: UUID | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List rings of buyers and shops, last seen first."""
    require(caller, *_READERS)
    items, following = await questions.rings(session, account_id=account_id, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}


@router.get("/v1/rings/{ring_id}", response_model=RingOut, responses=problems(401, 403, 404, 422))
async def get_ring(session: SessionDep, caller: CallerDep, ring_id: UUID) -> object:
    """Return one ring with its members."""
    require(caller, *_READERS)
    return await questions.ring(session, ring_id)


@router.get(
    "/v1/rings/{ring_id}/picture",
    response_class=Response,
    responses={**PICTURE, **problems(401, 403, 404, 422)},
)
async def get_ring_picture(session: SessionDep, caller: CallerDep, ring_id: UUID) -> Response:
    """Return a ring as a picture: its shops and buyers, a line for the orders between two of them."""
    require(caller, *_READERS)
    content = await ring_pictures.ring_picture(session, ring_id)
    return picture(content)


@router.get(
    "/v1/assessments/{platform_id}/{order_ref}",
    response_model=AssessmentOut,
    responses=problems(401, 403, 404, 422),
)
async def get_assessment(session: SessionDep, caller: CallerDep, platform_id: Ref, order_ref: Ref) -> object:
    """Return what a transaction scored and which rules it hit."""
    require(caller, *_READERS)
    return await questions.assessment(session, platform_id, order_ref)


@router.get("/v1/declarations", response_model=DeclarationPage, responses=problems(401, 403, 422))
async def list_declarations(
    session: SessionDep,
    caller: CallerDep,
    channel: Literal["release", "document_check", "inspection"] | None = None,
    day: Annotated[date | None, Query(description="Day it was lodged on")] = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List declarations, newest first."""
    require(caller, *_READERS)
    items, following = await declared.declarations(
        session, channel=channel, day=day, after=read_cursor(cursor), limit=limit
    )
    return {"items": items, "next": following}


@router.get(
    "/v1/declarations/{platform_id}/{declaration_ref}",
    response_model=DeclarationOut,
    responses=problems(401, 403, 404, 422),
)
async def get_declaration(session: SessionDep, caller: CallerDep, platform_id: Ref, declaration_ref: Ref) -> object:
    """Return a declaration with its channel, the reasons, and what an inspection found."""
    require(caller, *_READERS)
    return await declared.declaration(session, platform_id, declaration_ref)


@router.get("/v1/chains/{platform_id}", response_model=ChainOut, responses=problems(401, 403, 404, 422))
async def get_chain(session: SessionDep, caller: CallerDep, platform_id: Ref) -> object:
    """Return the head of the hash chain of what a platform stated."""
    require(caller, *_READERS)
    head = await chains.head(session, platform_id)
    return {
        "platform_id": platform_id,
        "length": head.length,
        "hash": head.hash.hex(),
        "entries": head.entries,
        "since": head.since,
        "extended_at": head.extended_at,
    }


@router.get("/v1/chains/{platform_id}/links/{sequence}", response_model=LinkOut, responses=problems(401, 403, 404, 422))
async def get_link(session: SessionDep, caller: CallerDep, platform_id: Ref, sequence: Place) -> object:
    """Return one link, to be compared with a head that was kept elsewhere."""
    require(caller, *_READERS)
    link = await chains.one_link(session, platform_id, sequence)
    return {
        "platform_id": platform_id,
        "sequence": sequence,
        "hash": (link.hash or b"").hex(),
        "entries": link.entries,
        "stated_at": link.stated_at,
    }


@router.get(
    "/v1/chains/{platform_id}/verification", response_model=VerificationOut, responses=problems(401, 403, 404, 422)
)
async def verify_chain(
    session: SessionDep,
    caller: CallerDep,
    platform_id: Ref,
    after: Annotated[int, Query(ge=0, le=2**62, description="Begin behind this link; go on from `checked_to`")] = 0,
) -> object:
    """Compute up to 500 links anew, and name the first that is not what was chained."""
    require(caller, *_READERS)
    found = await chains.verify(session, platform_id, after=after)
    return {
        "platform_id": platform_id,
        "length": found.length,
        "checked_to": found.checked_to,
        "broken_at": found.broken_at.sequence if found.broken_at else None,
        "why": found.broken_at.why if found.broken_at else None,
    }


@router.get("/v1/totals/{platform_id}", response_model=list[MonthOut], responses=problems(401, 403, 422))
async def list_totals(
    session: SessionDep,
    caller: CallerDep,
    platform_id: Ref,
    account_id: Annotated[UUID | None, Query(description="The months of one account on the platform")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List what the months of a platform, or of an account, come to: as it states them, and as its orders add up."""
    require(caller, *_READERS)
    return await totals.months(session, platform_id, account=account_id, most=limit)


@router.get("/v1/models", response_model=list[ModelOut], responses=problems(401, 403))
async def list_models(session: SessionDep, caller: CallerDep) -> object:
    """List trained models, the newest first, with their cards."""
    require(caller, *_READERS)
    return await declared.models(session)


@router.get("/v1/incidents", response_model=IncidentPage, responses=problems(401, 403, 422))
async def list_incidents(
    session: SessionDep,
    caller: CallerDep,
    kind: IncidentKind | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List security incidents, last found first; a platform's own only, for a platform."""
    require(caller, *_READERS, Role.PLATFORM)
    items, following = await questions.incidents(session, kind=kind, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}


@router.get("/v1/investigations", response_model=InvestigationPage, responses=problems(401, 403, 422))
async def list_investigations(
    session: SessionDep,
    caller: CallerDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> object:
    """List operators to look into, newest proposal first."""
    require(caller, *_READERS)
    items, following = await questions.investigations(session, after=read_cursor(cursor), limit=limit)
    return {"items": items, "next": following}


@router.get("/v1/operators/{identifier}", response_model=OperatorOut, responses=problems(401, 403, 404, 422))
async def get_operator(session: SessionDep, caller: CallerDep, identifier: UUID) -> object:
    """Roll up what risk knows of an operator or of one account."""
    require(caller, *_READERS)
    return await questions.operator(session, identifier)


@router.post("/v1/alerts/{alert_id}/verdict", response_model=AlertOut, responses=problems(400, 401, 403, 404, 422))
async def judge_alert(session: SessionDep, caller: CallerDep, alert_id: UUID, body: VerdictIn) -> object:
    """Say whether an alert was right; a false alarm is dismissed, and whoever was told of it is told that."""
    require(caller, *_ANALYSTS)
    await alerts.judge(session, alert_id, verdict=body.verdict, by=caller.subject, note=body.note, at=utc_now())
    return await questions.alert(session, alert_id)


@router.get("/v1/rules", response_model=list[RuleOut], responses=problems(401, 403))
async def list_rules(session: SessionDep, caller: CallerDep) -> object:
    """List every version of every rule with its source."""
    require(caller, *_READERS)
    return await questions.rules(session)


@router.post("/v1/rules", response_model=RuleOut, status_code=201, responses=problems(400, 401, 403, 409, 422))
async def save_rule(session: SessionDep, caller: CallerDep, body: RuleIn) -> object:
    """Save a new version of a rule as a draft: it must be one, and pass its own tests."""
    require(caller, *_RULE_MAKERS)
    return await rule_life.save_draft(session, Rule(**body.model_dump()), author=caller.subject)


@router.get("/v1/rules/{code}/{version}/figures", response_model=RuleFiguresOut, responses=_RULE_REFUSALS)
async def get_rule_figures(session: SessionDep, caller: CallerDep, code: Code, version: Version) -> object:
    """Return what a version of a rule hit, cost and was worth so far."""
    require(caller, *_READERS)
    return await rule_figures.figures(session, code, version, now=utc_now())


@router.post("/v1/rules/{code}/{version}/backtest", response_model=BacktestOut, responses=_RULE_REFUSALS)
async def backtest_rule(session: SessionDep, caller: CallerDep, code: Code, version: Version, body: SpanIn) -> object:
    """Try a version of a rule on the features kept, and keep what came of it."""
    require(caller, *_RULE_MAKERS)
    rule = await rule_life.version(session, code, version)
    until = body.until or utc_now()
    since = body.since or until - timedelta(days=KEPT_DAYS)
    found = await backtests.backtest(session, rule, since=since, until=until)
    answer = BacktestOut.model_validate(found, from_attributes=True)
    await rule_life.keep_backtest(session, code, version, answer.model_dump(mode="json"))
    return answer


@router.post("/v1/rules/{code}/{version}/shadow", response_model=RuleOut, responses=_RULE_REFUSALS)
async def shadow_rule(session: SessionDep, caller: CallerDep, code: Code, version: Version) -> object:
    """Count what a rule hits from now on, without raising anything."""
    require(caller, *_RULE_MAKERS)
    return await rule_life.start_shadow(session, code, version)


@router.post("/v1/rules/{code}/{version}/approval", response_model=RuleOut, responses=_RULE_REFUSALS)
async def approve_rule(
    session: SessionDep, caller: CallerDep, code: Code, version: Version, body: ApprovalIn
) -> object:
    """Let a rule count from a day on; not by who wrote it."""
    require(caller, *_RULE_MAKERS)
    return await rule_life.approve(
        session, code, version, by=caller.subject, valid_from=body.valid_from, today=utc_now().date()
    )


@router.post("/v1/rules/{code}/{version}/retirement", response_model=RuleOut, responses=_RULE_REFUSALS)
async def retire_rule(
    session: SessionDep, caller: CallerDep, code: Code, version: Version, body: RetirementIn
) -> object:
    """Let a rule end on a day; a draft, a shadow or a suspended one ends at once."""
    require(caller, *_RULE_MAKERS)
    return await rule_life.retire(session, code, version, valid_to=body.valid_to, today=utc_now().date())


@router.get("/v1/summary", response_model=SummaryOut, responses=problems(401, 403))
async def get_summary(session: SessionDep, caller: CallerDep) -> object:
    """Count assessments, alerts and declarations."""
    require(caller, *_READERS)
    return {**await questions.summary(session), "declarations": await declared.summary(session)}
