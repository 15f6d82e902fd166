"""`/v1/rule-values`, the same for every service whose values are added to at a door."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select

from shared.auth import CallerDep, Role, require
from shared.clock import EARLIEST, LATEST, utc_now
from shared.rule_rows import RecordedRuleRow, Statement, read_book, state_value
from shared.rule_values import EVERYWHERE
from shared.web import SessionDep, problems

_READERS = tuple(Role)
_KEEPERS = (Role.REGULATOR, Role.ADMINISTRATOR)
_FIRST, _LAST = date(1900, 1, 1), date(2200, 1, 1)

_Words = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00]+$")]
_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
_Scope = Annotated[str, Field(pattern=r"^(\*|[A-Z]{2})$", description="ISO 3166-1 alpha-2 code, EU, or * for all")]
_Day = Annotated[date, Field(ge=_FIRST, lt=_LAST)]
_Instant = Annotated[AwareDatetime, Query(ge=EARLIEST, le=LATEST)]
_Where = Annotated[str, Query(pattern=r"^(\*|[A-Z]{2})$")]


class RuleValueIn(BaseModel):
    """A value of a known rule from a day on; its unit and direction are the rule's."""

    model_config = ConfigDict(extra="forbid")

    name: _Name
    jurisdiction: _Scope = EVERYWHERE
    valid_from: _Day
    valid_to: Annotated[_Day | None, Field(description="First day that it holds no more; without it, for good")] = None
    value: Annotated[float, Field(allow_inf_nan=False)]
    source: Annotated[_Words, Field(description="The article that says so")]
    because: Annotated[_Words, Field(description="Why it is recorded now")]
    retroactive: Annotated[bool, Field(description="Says that days that are over are meant")] = False


class RuleValueOut(BaseModel):
    """A value, and the act that recorded it. `before` is what stood on its first day until then."""

    name: str
    jurisdiction: str
    valid_from: date
    valid_to: date | None
    revision: int
    value: float
    unit: str
    stricter: str | None
    source: str
    before: float | None
    because: str
    recorded_by: str
    recorded_at: datetime


class RuleValueList(BaseModel):
    """Every value ever recorded, in the order they hold."""

    items: list[RuleValueOut]


class AppliedValueOut(BaseModel):
    """A value with where it comes from."""

    jurisdiction: str
    valid_from: date
    valid_to: date | None
    revision: int
    value: float
    unit: str
    source: str


class AppliedOut(BaseModel):
    """The value that applies on a day, and those that would have, had it not been stricter."""

    name: str
    on: date
    jurisdiction: str
    applies: AppliedValueOut
    gave_way: list[AppliedValueOut]


def rule_values_router(table: type[RecordedRuleRow], *, tag: str) -> APIRouter:
    """Return the door to a service's rule values."""
    router = APIRouter(tags=[tag])
    _add_lists(router, table)
    _add_statements(router, table)
    return router


def _add_lists(router: APIRouter, table: type[RecordedRuleRow]) -> None:
    @router.get("/v1/rule-values", response_model=RuleValueList, responses=problems(401, 403, 422))
    async def list_rule_values(
        session: SessionDep,
        caller: CallerDep,
        name: Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")] = None,
        jurisdiction: _Where | None = None,
    ) -> object:
        """List the values of all rules, or of one, with who recorded each."""
        require(caller, *_READERS)
        found = select(table).order_by(table.name, table.jurisdiction, table.valid_from, table.revision)
        if name is not None:
            found = found.where(table.name == name)
        if jurisdiction is not None:
            found = found.where(table.jurisdiction == jurisdiction)
        rows = (await session.execute(found)).scalars()
        return {"items": [_shown(row) for row in rows]}

    @router.get("/v1/rule-values/{name}", response_model=AppliedOut, responses=problems(401, 403, 404, 409, 422))
    async def get_rule_value(
        session: SessionDep,
        caller: CallerDep,
        name: Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[^\x00]+$")],
        on: Annotated[date | None, Query(ge=_FIRST, lt=_LAST)] = None,
        jurisdiction: _Where = EVERYWHERE,
        known_at: _Instant | None = None,
    ) -> object:
        """Return what applies on a day (today), as it is known or was known at an instant."""
        require(caller, *_READERS)
        day = on or utc_now().date()
        book = await read_book(session, table)
        found = book.apply(name, on=day, jurisdiction=jurisdiction, known_at=known_at)
        return {
            "name": name,
            "on": day,
            "jurisdiction": jurisdiction,
            "applies": found.value._asdict(),
            "gave_way": [value._asdict() for value in found.gave_way],
        }


def _add_statements(router: APIRouter, table: type[RecordedRuleRow]) -> None:
    @router.post(
        "/v1/rule-values",
        status_code=201,
        response_model=RuleValueOut,
        responses=problems(400, 401, 403, 404, 409, 422),
    )
    async def add_rule_value(session: SessionDep, caller: CallerDep, body: RuleValueIn) -> object:
        """Add a value from a day on; nothing is overwritten, and a day that is over is changed only when said."""
        require(caller, *_KEEPERS)
        stated = Statement(**body.model_dump())
        return _shown(await state_value(session, table, stated, by=caller.subject, at=utc_now()))


def _shown(row: RecordedRuleRow) -> RuleValueOut:
    return RuleValueOut.model_validate(row, from_attributes=True)
