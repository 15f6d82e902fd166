"""Bodies of credit's answers."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

Level = Literal["A", "B", "C", "D"]


class AccountOut(BaseModel):
    """An account whose facts the profile is the union of."""

    account_id: UUID
    platform_id: str
    operator_ref: str


class IndicatorOut(BaseModel):
    """Facts of one kind and the points they add, decayed to the profile's date."""

    kind: str
    facts: int
    points: float


class PanelOut(BaseModel):
    """One of the four panels; `held` is what its limits took or gave."""

    panel: str
    points: float
    held: float
    indicators: list[IndicatorOut]


class ProfileOut(BaseModel):
    """An operator's credit profile at the end of a date."""

    operator_id: UUID
    as_of: date
    score: float
    level: Level
    tree_version: int
    facts: int
    accounts: list[AccountOut]
    panels: list[PanelOut]


class ProfileSummaryOut(BaseModel):
    """An operator's stored score and level."""

    operator_id: UUID
    score: float
    level: Level


class ProfilePage(BaseModel):
    """Profiles by operator id; `next` is the cursor of the page after this one."""

    items: list[ProfileSummaryOut]
    next: UUID | None


class FactOut(BaseModel):
    """One fact with the event it came from and the points it still gives."""

    account_id: UUID
    family: str
    subject: str
    kind: str
    occurred_at: datetime
    amount_minor: int | None
    currency: str | None
    event_id: str
    event_type: str
    points: float


class FactPage(BaseModel):
    """Facts, newest first; `next` is the offset of the page after this one."""

    items: list[FactOut]
    next: int | None


class ExplanationOut(BaseModel):
    """Every point of a score: base, branches, what limits held, and the facts that weigh most."""

    operator_id: UUID
    as_of: date
    score: float
    level: Level
    base: float
    held: float
    panels: list[PanelOut]
    facts: list[FactOut]
    other_facts: int
    other_points: float
    source: str


class PublicOut(BaseModel):
    """What anyone may know of an operator."""

    operator_id: UUID
    level: Level
    as_of: date


class SummaryOut(BaseModel):
    """What this service holds, counted from its tables."""

    profiles: int
    facts: int
    levels: dict[str, int]
