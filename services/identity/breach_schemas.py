"""Bodies of personal data breaches."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.identity.breaches import ActKind
from shared.clock import EARLIEST, LATEST

_Ref = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
_Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]
_Instant = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]
DataKind = Literal[
    "name",
    "identity_number",
    "address",
    "phone",
    "email",
    "bank_account",
    "device",
    "location",
    "biometric",
    "health",
    "order_history",
    "credentials",
    "other",
]


class BreachIn(BaseModel):
    """A leak as far as it is known: no personal data in it. `platform_id` is left out by platforms and for our own."""

    model_config = ConfigDict(extra="forbid")

    platform_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None
    incident_ref: _Ref
    found_at: _Instant
    data_kinds: Annotated[list[DataKind], Field(min_length=1, max_length=20)]
    persons: Annotated[int, Field(ge=0, le=10**11, description="How many are concerned, as far as is known")]
    jurisdictions: Annotated[list[_Country], Field(min_length=1, max_length=60, description="Where they are")]
    accounts: Annotated[list[UUID], Field(max_length=10_000)] = []


class BreachActIn(BaseModel):
    """What was done and what shows it; without a jurisdiction, in all of them."""

    model_config = ConfigDict(extra="forbid")

    kind: ActKind
    jurisdiction: _Country | None = None
    at: _Instant | None = None
    evidence: Annotated[str, Field(min_length=3, max_length=2_000, pattern=r"^[^\x00]+$")]


class BreachOut(BaseModel):
    """A leak as it was reported."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    platform_id: str
    incident_ref: str
    found_at: datetime
    data_kinds: list[str]
    persons: int
    jurisdictions: list[str]
    accounts: list[UUID]
    reported_by: str
    reported_at: datetime
    closed_at: datetime | None


class DutyOut(BaseModel):
    """Whom it is to be told to by when, by which article, and whether that was done or missed."""

    model_config = ConfigDict(from_attributes=True)

    what: Literal["breach.authority", "breach.persons"]
    jurisdiction: str
    due_at: datetime
    source: str
    done_at: datetime | None
    overdue_at: datetime | None


class BreachActOut(BaseModel):
    """Something that was done."""

    model_config = ConfigDict(from_attributes=True)

    kind: ActKind
    jurisdiction: str | None
    at: datetime
    by: str
    evidence: str


class AffectedOut(BaseModel):
    """Which personal fields are held of an account, sealed."""

    account_id: UUID
    fields: list[str]


class BreachFileOut(BaseModel):
    """A leak with all that is to be done and was, and what is held of the accounts it names."""

    model_config = ConfigDict(from_attributes=True)

    breach: BreachOut
    duties: list[DutyOut]
    acts: list[BreachActOut]
    affected: list[AffectedOut]


class BreachPage(BaseModel):
    """Leaks, the newest first; `next` is the cursor of the page after this one."""

    items: list[BreachOut]
    next: str | None
