"""Bodies of disputes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import iso4217
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.events.disputes import Category, Outcome

_CURRENCIES = frozenset(currency.code for currency in iso4217.Currency)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("text holds U+0000, which cannot be stored")
    return text


def _currency(code: str) -> str:
    if code not in _CURRENCIES:
        raise ValueError(f"{code!r} is not an ISO 4217 currency")
    return code


Text = Annotated[str, Field(max_length=20_000), AfterValidator(_storable)]
Ref = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]


class ComplaintIn(BaseModel):
    """What a consumer states; amounts in minor units."""

    model_config = ConfigDict(extra="forbid")

    platform_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    operator_ref: Ref
    order_ref: Ref | None = None
    category: Category
    description: Text
    desired_outcome: Literal["refund", "replacement", "repair", "compensation", "other"]
    claimed_minor: Annotated[int, Field(ge=0, le=10**15)] | None = None
    currency: Annotated[str, AfterValidator(_currency)] | None = None


class ResolutionIn(BaseModel):
    """How a complaint ends."""

    model_config = ConfigDict(extra="forbid")

    outcome: Outcome
    note: Text | None = None


class ComplaintOut(BaseModel):
    """A complaint as its parties see it."""

    id: UUID
    platform_id: str
    operator_ref: str
    account_id: UUID
    order_ref: str | None
    category: Category
    description: str
    desired_outcome: str
    claimed_minor: int | None
    currency: str | None
    state: Literal["filed", "resolved"]
    outcome: Outcome | None
    filed_at: datetime
    resolved_at: datetime | None


class ComplaintPage(BaseModel):
    """Complaints, newest first; `next` is the cursor of the page after this one."""

    items: list[ComplaintOut]
    next: str | None


class LiabilityOut(BaseModel):
    """A platform that is to pay in a seller's place, since when and by which article."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    platform_id: str
    account_id: UUID
    operator_ref: str
    order_ref: str | None
    ground: Literal["seller_not_disclosed"]
    source: str
    since: datetime


class LiabilityPage(BaseModel):
    """Liabilities, the newest first; `next` is the cursor of the page after this one."""

    items: list[LiabilityOut]
    next: str | None


class StepOut(BaseModel):
    """One thing that happened to a complaint."""

    what: str
    by: str
    note: str | None
    at: datetime


class SummaryOut(BaseModel):
    """What this service holds, counted from its tables."""

    complaints: int
    by_state: dict[str, int]
