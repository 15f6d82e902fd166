"""Bodies of identity's answers."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Verdict = Literal["verified", "rejected", "unverified"]


class AccountOut(BaseModel):
    """An account of an operator: the newest version of its file until the moment asked for."""

    account_id: UUID
    platform_id: str
    operator_ref: str
    version: int
    state: str
    verdict: Verdict
    reasons: list[str]
    content: dict[str, Any]
    stated_at: datetime


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
