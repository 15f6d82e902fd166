"""Bodies of risk's answers about forecasts and warnings."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class TrackOut(BaseModel):
    """What forecasts of a class came to: the chance they stated on average, how many were right, the Brier score."""

    forecasts: int
    violated: int
    expected: float
    brier: float


class BinOut(BaseModel):
    """Forecasts whose chance lay between two tenths: what they stated on average, and what share came true."""

    lower: float = Field(alias="from")
    upper: float = Field(alias="to")
    forecasts: int
    expected: float
    observed: float


class CalibrationOut(BaseModel):
    """What forecasts by class, or by one model, came to, beside what the class alone said of the same operators."""

    forecast_by: str
    forecasts: int
    violated: int
    brier: float
    brier_by_class: float
    log_loss: float
    calibration: list[BinOut]


class WarningsTrackOut(BaseModel):
    """Warnings so far: how many stand, how many had thirty days, and after how many of these something severe came."""

    warnings: int
    standing: int
    ended_thirty_days: int
    came_true: int
    share: float | None


class AccuracyOut(BaseModel):
    """How good forecasts and warnings of operators were."""

    forecasts: list[CalibrationOut]
    warnings: WarningsTrackOut


class WarningOut(BaseModel):
    """A warning; `came_true` is unknown before its thirty days are over."""

    id: UUID
    operator_id: UUID
    probability: float
    threshold: float
    risk_class: Literal["A", "B", "C", "D"]
    forecast_by: str
    reasons: list[str]
    warned_at: datetime
    ended_at: datetime | None
    came_true: bool | None = Field(validation_alias="violated")


class WarningPage(BaseModel):
    """Warnings, newest first; `next` is the cursor of the page after this one."""

    items: list[WarningOut]
    next: str | None
