"""What risk publishes: alerts with their reasons, and what is known of an operator's risk."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from msgspec import Struct, field

from shared.events.base import Event

Severity = Literal["low", "medium", "high", "critical"]


class Contribution(Struct, frozen=True, kw_only=True):
    """One feature's value behind an alert, with its share of the score."""

    feature: str
    value: float
    points: float


class AlertRaised(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A rule was hit for a subject for the first time in its window; `alert_id` depends on nothing else."""

    type: ClassVar[str] = "risk.alert.raised.v1"
    topic: ClassVar[str] = "risk.alerts"
    alert_id: UUID
    account_id: UUID | None
    platform_id: str
    rule: str
    rule_version: int
    severity: Severity
    score: float
    reason: str
    window_start: datetime
    contributions: list[Contribution]
    transaction_id: UUID | None = None
    order_ref: str | None = None
    # What it can be looked up by besides: `order:`, `ring:` and a reference or an id.
    evidence: list[str] = field(default_factory=list)

    def key(self) -> UUID:
        """Return the operator's account, or the alert where no operator is known."""
        return self.account_id or self.alert_id


class AlertWithdrawn(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A later document cleared what an alert was raised for."""

    type: ClassVar[str] = "risk.alert.withdrawn.v1"
    topic: ClassVar[str] = "risk.alerts"
    alert_id: UUID
    account_id: UUID | None
    platform_id: str
    rule: str
    severity: Severity
    reason: str

    def key(self) -> UUID:
        """Return the operator's account, or the alert where no operator is known."""
        return self.account_id or self.alert_id


class RuleSuspended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A rule was switched off by itself: it failed, took too long, or held for nearly everything."""

    type: ClassVar[str] = "risk.rule.suspended.v1"
    topic: ClassVar[str] = "risk.rules"
    # The same for all versions of a rule.
    rule_id: UUID
    code: str
    version: int
    because: str

    def key(self) -> UUID:
        """Return the rule, so that what happens to it stays in order."""
        return self.rule_id


EVENTS: tuple[type[Event], ...] = (AlertRaised, AlertWithdrawn, RuleSuspended)
