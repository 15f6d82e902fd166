"""Bodies of risk's answers."""

from datetime import date, datetime
from typing import Any, Literal
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
    window_start: datetime
    state: Literal["open", "withdrawn"]
    raised_at: datetime


class AlertPage(BaseModel):
    """Alerts, newest first; `next` is the cursor of the page after this one."""

    items: list[AlertOut]
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


class InspectionOut(BaseModel):
    """What an inspection found, as last stated."""

    result: Literal["conforming", "violation"]
    violation: str | None
    inspected_on: date
    note: str | None
    by_customs: bool
    recorded_at: datetime


class DeclarationOut(BaseModel):
    """A declaration with its channel and the reasons; a channel is missing while it is not lodged yet."""

    id: UUID
    platform_id: str
    declaration_ref: str
    account_id: UUID | None
    lodged_on: date | None
    lodged_at: datetime | None
    channel: Literal["release", "document_check", "inspection"] | None
    score: float | None
    reasons: list[str]
    model: str | None
    explored: bool
    selection_probability: float | None
    policy_on: date | None
    cleared_at: datetime | None
    recorded_at: datetime
    declared: dict[str, Any] | None
    final: dict[str, Any] | None
    inspection: InspectionOut | None


class DeclarationPage(BaseModel):
    """Declarations, newest first; `next` is the cursor of the page after this one."""

    items: list[DeclarationOut]
    next: str | None


class ModelOut(BaseModel):
    """A trained model: what it was made of, what it was worth beside the one before, and whether it scores."""

    kind: str
    version: int
    state: Literal["candidate", "champion", "retired"]
    features: list[str]
    trained_from: date
    trained_to: date
    outcomes: int
    violations: int
    card: dict[str, Any]
    created_at: datetime
    adopted_at: datetime | None


class DeclarationsOut(BaseModel):
    """Declarations by channel, and what customs found: among those ranked, those drawn, and weighted for all."""

    lodged: int
    by_channel: dict[str, int]
    inspected: int
    violations: int
    hit_rate: float | None
    explored: int
    explored_hit_rate: float | None
    violation_rate_estimated: float | None


class SummaryOut(BaseModel):
    """What this service holds, counted from its tables."""

    assessed: int
    alerts: int
    withdrawn: int
    by_rule: dict[str, int]
    declarations: DeclarationsOut
