"""Bodies of risk's answers."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel


class ContributionOut(BaseModel):
    """One feature's value, and its share of the score in points."""

    feature: str
    value: float
    points: float


class AlertOut(BaseModel):
    """A rule that was hit, for whom, in which window, and why."""

    id: UUID
    platform_id: str
    account_id: UUID | None
    transaction_id: UUID | None
    order_ref: str | None
    rule: str
    rule_version: int
    severity: Literal["low", "medium", "high", "critical"]
    score: float
    reason: str
    contributions: list[ContributionOut]
    evidence: list[str]
    window_start: datetime
    state: Literal["open", "withdrawn"]
    raised_at: datetime


class AlertPage(BaseModel):
    """Alerts, newest first; `next` is the cursor of the page after this one."""

    items: list[AlertOut]
    next: str | None


class RingOut(BaseModel):
    """Buyers and shops that deal with each other beyond chance, and how improbable that is, as a power of ten."""

    id: UUID
    platform_id: str
    buyers: list[str]
    accounts: list[UUID]
    orders: int
    expected_pairs: float
    chance_log10: float
    split_from: UUID | None
    state: Literal["active", "past"]
    first_seen_at: datetime
    seen_at: datetime


class RingPage(BaseModel):
    """Rings, last seen first; `next` is the cursor of the page after this one."""

    items: list[RingOut]
    next: str | None


class PartOut(BaseModel):
    """The assessment of one operator's part in a transaction."""

    part: int
    account_id: UUID | None
    revision: int
    score: float
    hits: list[str]
    assessed_at: datetime


class AssessmentOut(BaseModel):
    """The assessment of a transaction: the highest score of its parts."""

    transaction_id: UUID
    platform_id: str
    order_ref: str
    score: float
    hits: list[str]
    parts: list[PartOut]


class OperatorOut(BaseModel):
    """What risk knows of an operator: its accounts, what identity found, its alerts by rule."""

    id: UUID
    accounts: list[UUID]
    verdicts: list[str]
    assessed: int
    alerts_open: int
    alerts_by_rule: dict[str, int]
    highest_severity: Literal["low", "medium", "high", "critical"] | None


class RuleOut(BaseModel):
    """A rule in force or to come."""

    code: str
    version: int
    stream: str
    scope: str
    expression: str
    severity: Literal["low", "medium", "high", "critical"]
    points: float
    reason: str
    source: str
    valid_from: date
    valid_to: date | None


class SummaryOut(BaseModel):
    """What this service holds, counted from its tables."""

    assessed: int
    alerts: int
    withdrawn: int
    by_rule: dict[str, int]
    rings: int
    # Messages applied since the patrol last set out.
    unpatrolled: int
