"""What identity publishes: who operates an account, what checking it found, and who is linked to whom."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from msgspec import Struct

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


class VerificationDue(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """No register confirms a file: unless its platform sends it again until `due_at`, its verification lapses then."""

    type: ClassVar[str] = "identity.operator.verification_due.v1"
    due_at: datetime


class OperatorLinked(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An account belongs to a legal entity from `linked_from` on, whatever earlier versions of it say of that time."""

    type: ClassVar[str] = "identity.operator.linked.v1"
    linked_from: datetime
    previous_operator_id: UUID | None = None


class OperatorDeregistered(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An account ended: its holder left, or the platform removed or banned it."""

    type: ClassVar[str] = "identity.operator.deregistered.v1"
    reason: Literal["left", "removed", "banned"]


class RetentionEnded(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The file of an account that ended need not be kept any longer."""

    type: ClassVar[str] = "identity.operator.retention_ended.v1"


class OperatorPurged(_OperatorEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Personal data of an account that ended was destroyed for good."""

    type: ClassVar[str] = "identity.operator.purged.v1"
    purge_id: UUID


class FileChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A registration file says something else than before: in which fields, and not what."""

    type: ClassVar[str] = "identity.file.changed.v1"
    topic: ClassVar[str] = "identity.operators"
    account_id: UUID
    operator_id: UUID
    platform_id: str
    operator_ref: str
    fields: list[str]

    def key(self) -> UUID:
        """Return the account: its history stays in order."""
        return self.account_id


class _ContactEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.contacts"
    violation_id: UUID
    platform_id: str
    purpose: str
    channel: str
    account_id: UUID | None = None

    def key(self) -> UUID:
        """Return the violation: its history stays in order."""
        return self.violation_id


class ConsentViolated(_ContactEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A person was written to, or enrolled, without consent in force; it is named by its platform's reference only."""

    type: ClassVar[str] = "identity.consent.violated.v1"
    person_ref: str
    sent_at: datetime
    reason: Literal["no_consent", "consent_withdrawn"]
    rule: str


class ConsentViolationCleared(_ContactEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A consent that is older than the message became known: it was no violation."""

    type: ClassVar[str] = "identity.consent.violation_cleared.v1"


class LinkReason(Struct, frozen=True, kw_only=True):
    """What two parties agree on, the bits it adds to the score, and how many operators hold the value in all."""

    kind: str
    weight: float
    holders: int


class _ReturnEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.operators"
    account_id: UUID
    operator_id: UUID
    platform_id: str
    operator_ref: str
    opened_at: datetime

    def key(self) -> UUID:
        """Return the account: its history stays in order."""
        return self.account_id


class OperatorReturned(_ReturnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An account is linked to one that was banned, or for other reasons than before.

    It `came_back` if it was opened after the ban; else it was open beside the banned one when that was banned.
    """

    type: ClassVar[str] = "identity.operator.returned.v1"
    banned_account_id: UUID
    banned_operator_id: UUID
    banned_platform_id: str
    banned_at: datetime
    came_back: bool
    score: float
    reasons: list[LinkReason]


class OperatorCleared(_ReturnEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An account is no longer linked to a banned one: files changed, the ban ended, or others share the same too."""

    type: ClassVar[str] = "identity.operator.cleared.v1"


class _LinkEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.links"
    link_id: UUID
    operator_id: UUID
    other_operator_id: UUID

    def key(self) -> UUID:
        """Return the link: its history stays in order."""
        return self.link_id


class LinkFound(_LinkEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Two legal entities agree on enough to be linked, or on something else than before."""

    type: ClassVar[str] = "identity.link.found.v1"
    score: float
    reasons: list[LinkReason]


class LinkLost(_LinkEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Two legal entities no longer agree on enough."""

    type: ClassVar[str] = "identity.link.lost.v1"


class _BadgeEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.operators"
    badge_id: UUID
    account_id: UUID
    operator_id: UUID
    platform_id: str

    def key(self) -> UUID:
        """Return the account: its history stays in order."""
        return self.account_id


class BadgeIssued(_BadgeEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An operator's electronic identification was issued for the shops of an account."""

    type: ClassVar[str] = "identity.badge.issued.v1"
    expires_at: datetime


class BadgeRevoked(_BadgeEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An electronic identification holds no more, before it expired."""

    type: ClassVar[str] = "identity.badge.revoked.v1"
    reason: str


class _DisplayEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.operators"
    account_id: UUID
    operator_id: UUID
    platform_id: str
    operator_ref: str
    page_ids: list[UUID]

    def key(self) -> UUID:
        """Return the account: its history stays in order."""
        return self.account_id


class DisplayViolated(_DisplayEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The newest snapshots of a shop's pages do not show its licence, or show a wrong one, or in another way now.

    `codes` say what is wrong, `page_ids` name the snapshots that show it, `source` the article that asks for it.
    """

    type: ClassVar[str] = "identity.display.violated.v1"
    codes: list[str]
    source: str


class DisplayCorrected(_DisplayEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Snapshots show that what was wrong with the display of a licence is no longer so, or never was."""

    type: ClassVar[str] = "identity.display.corrected.v1"


class _BreachEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    topic: ClassVar[str] = "identity.breaches"
    breach_id: UUID
    # Empty where it happened in this installation.
    platform_id: str

    def key(self) -> UUID:
        """Return the breach: its history stays in order."""
        return self.breach_id


class BreachReported(_BreachEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Personal data leaked; nothing personal is in it."""

    type: ClassVar[str] = "identity.breach.reported.v1"
    incident_ref: str
    data_kinds: list[str]
    persons: int
    jurisdictions: list[str]


class BreachOverdue(_BreachEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An authority, or the persons concerned, were not told in time of a leak."""

    type: ClassVar[str] = "identity.breach.overdue.v1"
    what: Literal["authority", "persons"]
    jurisdiction: str
    source: str


class BreachClosed(_BreachEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A leak is contained and everybody was told who has to be."""

    type: ClassVar[str] = "identity.breach.closed.v1"


EVENTS: tuple[type[Event], ...] = (
    OperatorVerified,
    OperatorRejected,
    OperatorUnverified,
    OperatorLapsed,
    VerificationDue,
    OperatorLinked,
    OperatorDeregistered,
    OperatorReturned,
    OperatorCleared,
    LinkFound,
    LinkLost,
    RetentionEnded,
    OperatorPurged,
    ConsentViolated,
    ConsentViolationCleared,
    BadgeIssued,
    BadgeRevoked,
    DisplayViolated,
    DisplayCorrected,
    BreachReported,
    BreachOverdue,
    BreachClosed,
    FileChanged,
)
