"""Bodies of risk's answers about single keys."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from shared.events.risk import KeyKind


class KeyAlertOut(BaseModel):
    """An open alert about a key."""

    id: UUID
    account_id: UUID | None
    rule: str
    rule_version: int
    severity: Literal["low", "medium", "high", "critical"]
    score: float
    reason: str
    evidence: list[str]
    window_start: datetime
    raised_at: datetime


class KeyOut(BaseModel):
    """What is known of a key as of a moment, under the names of docs/features.md; null where unknown."""

    kind: KeyKind
    platform_id: str
    ref: str
    as_of: datetime
    # The oldest act that is kept; `is_first` says whether there was none before.
    first_seen_at: datetime
    is_first: bool
    last_seen_at: datetime
    features: dict[str, float | None]
    # By what share orders and their values may be off, up to 100,000 acts; where not exact, partners are a lower bound.
    count_error_share: float
    partners_are_exact: bool
    alerts: list[KeyAlertOut]
