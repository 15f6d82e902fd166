"""What disputes publishes: complaints and how they ended."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Event

Category = Literal["not_delivered", "not_as_described", "counterfeit", "refund_refused", "safety", "other"]
Outcome = Literal["upheld", "partly_upheld", "dismissed", "withdrawn"]


class _ComplaintEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "disputes.complaints"
    complaint_id: UUID
    account_id: UUID
    platform_id: str
    order_ref: str | None
    category: Category

    def key(self) -> UUID:
        """Return the complaint."""
        return self.complaint_id


class ComplaintFiled(_ComplaintEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A consumer complained about an operator."""

    type: ClassVar[str] = "disputes.complaint.filed.v1"
    claimed_minor: int | None = None
    currency: str | None = None


class ComplaintResolved(_ComplaintEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A complaint ended."""

    type: ClassVar[str] = "disputes.complaint.resolved.v1"
    outcome: Outcome
    filed_at: datetime


EVENTS: tuple[type[Event], ...] = (ComplaintFiled, ComplaintResolved)
