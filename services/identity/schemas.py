"""Bodies of identity's answers."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.clock import EARLIEST, LATEST
from shared.paging import MAX_PAGE

_TEXT = r"^[^\x00]+$"
Verdict = Literal["verified", "rejected", "unverified"]


class RefusalOut(BaseModel):
    """A reason with the article it rests on, as it was on the day of the file, and what would mend it."""

    code: str
    article: str
    remedy: str


class AccountOut(BaseModel):
    """An account of an operator: the newest version of its file until the moment asked for.

    Personal data is not in `content`; `sealed` names what there is, and `/v1/personal-reads` opens it for a purpose.
    """

    account_id: UUID
    platform_id: str
    operator_ref: str
    version: int
    state: str
    verdict: Verdict
    reasons: list[str]
    refusals: list[RefusalOut]
    content: dict[str, Any]
    sealed: list[str]
    stated_at: datetime
    # By which its register is asked again, or its platform is to confirm it; as things stand now.
    verification_due_on: date | None


class RegisteredOut(BaseModel):
    """What the public register said of the number on that day."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    status: str
    registered_on: date | None
    valid_from: date


class OperatorOut(BaseModel):
    """A legal entity and its accounts; the name is the registered one where a register is loaded."""

    id: UUID
    jurisdiction: str
    scheme: str | None
    number: str | None
    name: str | None
    registered: RegisteredOut | None
    accounts: list[AccountOut]


class OperatorItem(BaseModel):
    """A legal entity in a list."""

    id: UUID
    jurisdiction: str
    scheme: str | None
    number: str | None
    name: Annotated[str | None, Field(description="the name that is like the one asked for")] = None
    likeness: Annotated[float | None, Field(description="how much it is, from 0 to 1")] = None
    account_id: Annotated[UUID | None, Field(description="the account with that name")] = None
    borne_from: Annotated[
        datetime | None, Field(description="since when this operator's account had it; told with as_of and former")
    ] = None
    borne_to: Annotated[datetime | None, Field(description="until when, if it has another now")] = None


class OperatorQuestion(BaseModel):
    """Which operators are asked for: of one account, everything that is stated holds. Days are whole days of UTC.

    With `as_of` all of it is what it was at that instant. With `former`, a name that an account had finds the operator
    that it was of then, and jurisdiction and kind are those of then; state and verdict are those of now.
    """

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=_TEXT)] | None = None
    jurisdiction: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")] | None = None
    platform: Annotated[str, Field(min_length=1, max_length=100, pattern=_TEXT)] | None = None
    state: Literal["active", "lapsed", "deregistered", "banned", "purged"] | None = None
    verdict: Verdict | None = None
    entity_type: Annotated[str, Field(min_length=1, max_length=40, pattern=_TEXT)] | None = None
    registered_from: Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2200, 1, 1))] | None = None
    registered_to: Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2200, 1, 1))] | None = None
    as_of: Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)] | None = None
    former: bool = False
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50


class OperatorPage(BaseModel):
    """Operators, by id or the likest name first; `next` is the cursor of the page after this one."""

    items: list[OperatorItem]
    next: UUID | None


class SummaryOut(BaseModel):
    """What this service holds, counted from its tables."""

    accepted: dict[str, int]
    by_type: dict[str, int]
    duplicate: int
    rejected: int
    verdicts: dict[str, int]
    reasons: dict[str, int]
    states: dict[str, int]
    badges: int
    badge_checks: dict[str, int]
    consent_violations: int
    links: int
    returned: int
    removals: dict[str, int]
    disclosures: dict[str, int]
    shared: dict[str, int]
    offers_refused: int
    displays: dict[str, int]


class LinkReasonOut(BaseModel):
    """What both agree on, the bits it adds to the score, and how many operators hold the value in all."""

    kind: str
    weight: float
    holders: int


class LinkOut(BaseModel):
    """Another operator that is linked to the one asked for; `banned` if one of its accounts was.

    A platform is told of its own account `account_id` that it is linked to a banned one, and not to whose; the id of a
    banned account only where the platform banned it itself.
    """

    account_id: UUID | None
    operator_id: UUID | None
    banned: bool
    banned_account_id: UUID | None
    banned_at: datetime | None
    came_back: bool
    score: float
    reasons: list[LinkReasonOut]
    found_at: datetime


class LinkPage(BaseModel):
    """Links by the other operator's id, or by the own account's; `next` is the cursor of the page after this one."""

    items: list[LinkOut]
    next: UUID | None


class ConditionQuestion(BaseModel):
    """Who would be let in, and what it would sell."""

    jurisdiction: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]
    entity_type: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00]+$")] = "company"
    mode: Literal["B2B", "B2C", "C2C"] = "B2C"
    category: Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=50)] = []
    on: Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2200, 1, 1))] | None = None


class ConditionOut(BaseModel):
    """Something that is asked, and the reason and remedy of a file that lacks it."""

    rule: str
    article: str
    code: str
    remedy: str


class ConditionList(BaseModel):
    """Everything that is asked on a day."""

    on: date
    items: list[ConditionOut]
