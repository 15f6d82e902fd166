"""Bodies of the door of rules."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

# PostgreSQL has no text with U+0000.
NO_NUL = r"^[^\x00]*$"


class RuleTest(BaseModel):
    """Features as a rule may see them, the others unknown, and whether it is to hold."""

    features: dict[str, bool | int | float | str | None] = Field(max_length=100)
    holds: bool


class RuleIn(BaseModel):
    """A new version of a rule; its code is what its alerts are called by."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{2,60}$")
    stream: str = Field(max_length=40)
    scope: str = Field(pattern=r"^[a-z][a-z_]{2,40}$")
    expression: str = Field(max_length=4_000)
    severity: Literal["low", "medium", "high", "critical"]
    points: float = Field(ge=0, le=100, allow_inf_nan=False)
    reason: str = Field(min_length=1, max_length=500, pattern=NO_NUL)
    source: str = Field(min_length=1, max_length=500, pattern=NO_NUL)
    tests: list[RuleTest] = Field(min_length=2, max_length=100)


class ApprovalIn(BaseModel):
    """From when a rule is to count."""

    valid_from: date


class RetirementIn(BaseModel):
    """Until when a rule is to count."""

    valid_to: date


class SpanIn(BaseModel):
    """The history to try a rule on, by when features were kept; all of it where nothing is said."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class ExampleOut(BaseModel):
    """One transaction or account that a rule hits, with the values behind it."""

    subject: UUID
    values: dict[str, bool | int | float | str | None]


class BacktestOut(BaseModel):
    """What a rule came to on history, beside its live version and beside what analysts found of its alerts."""

    since: datetime
    until: datetime
    rows: int
    subjects: int
    hits: int
    live_hits: int
    new_hits: int
    lost_hits: int
    judged: int
    confirmed: int
    precision: float | None
    # Of how many subjects features are kept: of each one in so many.
    one_in: int
    examples: list[ExampleOut]


class RuleDayOut(BaseModel):
    """Alerts of a day (UTC), and what analysts found of them by now."""

    day: date
    alerts: int
    confirmed: int
    false_alarms: int


class RuleFiguresOut(BaseModel):
    """What a version did so far: rows seen, hits, microseconds for a thousand rows, and what became of its alerts.

    `recall` is relative: of `recall_of` things that analysts confirmed in its stream while it was in force, by
    whichever rule, the share that it alerted of too. `days` are those of the last thirty that have alerts.
    """

    code: str
    version: int
    rows: int
    hits: int
    us_per_1000_rows: float | None
    alerts: int
    open: int
    confirmed: int
    false_alarms: int
    unjudged: int
    precision: float | None
    recall: float | None
    recall_of: int
    median_hours_to_verdict: float | None
    p90_hours_to_verdict: float | None
    days: list[RuleDayOut]


class RuleOut(BaseModel):
    """A version of a rule, and how far it has come."""

    code: str
    version: int
    stream: str
    scope: str
    expression: str
    severity: Literal["low", "medium", "high", "critical"]
    points: float
    reason: str
    source: str
    valid_from: date | None
    valid_to: date | None
    state: Literal["draft", "shadow", "approved", "retired", "suspended"]
    tests: list[RuleTest]
    backtest: BacktestOut | None
    author: str
    approved_by: str | None
    suspended_because: str | None
    saved_at: datetime
