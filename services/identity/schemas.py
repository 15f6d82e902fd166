"""Bodies of identity's answers."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

Verdict = Literal["verified", "rejected", "unverified"]


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
    content: dict[str, Any]
    sealed: list[str]
    stated_at: datetime


class OperatorOut(BaseModel):
    """A legal entity and its accounts."""

    id: UUID
    jurisdiction: str
    scheme: str | None
    number: str | None
    accounts: list[AccountOut]


class OperatorItem(BaseModel):
    """A legal entity in a list."""

    id: UUID
    jurisdiction: str
    scheme: str | None
    number: str | None


class OperatorPage(BaseModel):
    """Operators by id; `next` is the cursor of the page after this one."""

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
    links: int
    returned: int


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
