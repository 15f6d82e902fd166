"""What identity publishes: who operates an account, and what checking it found."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Event

Verdict = Literal["verified", "rejected", "unverified"]


class _OperatorEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.operators"
    account_id: UUID
    operator_id: UUID
    platform_id: str
    operator_ref: str
    version: int

    def key(self) -> UUID:
        """Return the account: its history stays in order."""
        return self.account_id


class OperatorVerified(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Every check of a registration file passed."""

    type: ClassVar[str] = "identity.operator.verified.v1"
    jurisdiction: str
    entity_type: str


class OperatorRejected(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A check of a registration file failed; `reasons` are its codes."""

    type: ClassVar[str] = "identity.operator.rejected.v1"
    jurisdiction: str
    entity_type: str
    reasons: list[str]


class OperatorUnverified(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A registration file lacks what checking it needs; `reasons` say what."""

    type: ClassVar[str] = "identity.operator.unverified.v1"
    jurisdiction: str
    entity_type: str
    reasons: list[str]


class OperatorLapsed(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A verification has run out, or its register has the operator no more; `reasons` say which."""

    type: ClassVar[str] = "identity.operator.lapsed.v1"
    jurisdiction: str
    entity_type: str
    reasons: list[str]
    verified_at: datetime


class OperatorLinked(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An account belongs to a legal entity from `linked_from` on; an earlier link ends there."""

    type: ClassVar[str] = "identity.operator.linked.v1"
    linked_from: datetime
    previous_operator_id: UUID | None = None


class OperatorDeregistered(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An account ended: its holder left, or the platform removed or banned it."""

    type: ClassVar[str] = "identity.operator.deregistered.v1"
    reason: Literal["left", "removed", "banned"]


EVENTS: tuple[type[Event], ...] = (
    OperatorVerified,
    OperatorRejected,
    OperatorUnverified,
    OperatorLapsed,
    OperatorLinked,
    OperatorDeregistered,
)
