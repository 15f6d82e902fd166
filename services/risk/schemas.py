"""Bodies of risk's answers."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from shared.paging import MAX_PAGE

# PostgreSQL has no text with U+0000.
NO_NUL = r"^[^\x00]*$"


class ContributionOut(BaseModel):
    """One feature's value, and its share of the score in points."""

    feature: str
    value: float
    points: float


class ChanceContributionOut(BaseModel):
    """What a feature adds to the log odds of a chance; `base` is of no feature."""

    feature: str
    value: float | str | None
    log_odds: float


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
    state: Literal["open", "withdrawn", "dismissed"]
    verdict: Literal["confirmed", "false_alarm", "unclear"] | None
    judged_by: str | None
    judged_at: datetime | None
    note: str | None
    raised_at: datetime
    # That an analyst would confirm it, by which model, and what adds up to its log odds; null without a model.
    chance_confirmed: float | None
    chance_by: str | None
    chance_contributions: list[ChanceContributionOut] | None


class AlertQuery(BaseModel):
    """Which alerts, in which order."""

    account_id: UUID | None = None
    rule: str | None = Field(None, max_length=100, pattern=NO_NUL)
    order: Literal["newest", "chance"] = Field(
        "newest",
        description="`chance`: open ones without a verdict, the likeliest to be confirmed first, unknown chances last",
    )
    cursor: str | None = Field(None, max_length=500)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class AlertPage(BaseModel):
    """Alerts in the order asked for; `next` is the cursor of the page after this one."""

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


class IncidentOut(BaseModel):
    """A security incident as a platform last reported it."""

    id: UUID
    platform_id: str
    incident_ref: str
    kind: str
    severity: Literal["low", "medium", "high", "critical"]
    affected: int
    found_at: datetime
    recorded_at: datetime


class IncidentPage(BaseModel):
    """Incidents, last found first; `next` is the cursor of the page after this one."""

    items: list[IncidentOut]
    next: str | None


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


class ReasonOut(BaseModel):
    """What the alerts of one rule add to an operator's points."""

    rule: str
    alerts: int
    points: float


class OperatorOut(BaseModel):
    """What risk knows of an operator: accounts, verdicts, alerts by rule, and how it stands once the patrol saw it."""

    id: UUID
    accounts: list[UUID]
    verdicts: list[str]
    assessed: int
    alerts_open: int
    alerts_by_rule: dict[str, int]
    highest_severity: Literal["low", "medium", "high", "critical"] | None
    risk_class: Literal["A", "B", "C", "D"] | None
    points: float | None
    # That something severe is found within thirty days, and who says so: `class`, or the model of single operators.
    probability: float | None
    forecast_by: str | None
    reasons: list[ReasonOut]


class VerdictIn(BaseModel):
    """What an analyst found of an alert."""

    verdict: Literal["confirmed", "false_alarm", "unclear"]
    note: str = Field("", max_length=2_000, pattern=NO_NUL)


class InvestigationOut(BaseModel):
    """A proposal to look into an operator, with the signals that agree."""

    id: UUID
    operator_id: UUID
    points: float
    reasons: list[ReasonOut]
    proposed_at: datetime


class InvestigationPage(BaseModel):
    """Proposals, newest first; `next` is the cursor of the page after this one."""

    items: list[InvestigationOut]
    next: str | None


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
    """What this service holds, counted from its tables; `unpatrolled` messages came since the patrol set out."""

    assessed: int
    alerts: int
    withdrawn: int
    by_rule: dict[str, int]
    rings: int
    unpatrolled: int
    by_class: dict[str, int]
    investigations: int
    declarations: DeclarationsOut


class ChainOut(BaseModel):
    """The head of a platform's hash chain: links so far, the last one's SHA-256 in hex, revisions in all of them."""

    platform_id: str
    length: int
    hash: str
    entries: int
    since: datetime
    extended_at: datetime


class LinkOut(BaseModel):
    """One link of a chain, to be compared with what a witness kept."""

    platform_id: str
    sequence: int
    hash: str
    entries: int
    stated_at: datetime


class VerificationOut(BaseModel):
    """How far links are as they were chained; `broken_at` is the first that is not, and `why` says how that shows."""

    platform_id: str
    length: int
    checked_to: int
    broken_at: int | None
    why: str | None


class MonthOut(BaseModel):
    """What a month comes to in one currency, as its orders add up and as the platform states it; null where unknown."""

    month: date
    currency: str
    known_orders: int | None
    known_amount_minor: int | None
    stated_orders: int | None
    stated_amount_minor: int | None
    stated_at: datetime | None
